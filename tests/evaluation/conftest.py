from judged_digits import digits

__all__ = ["digits"]
