"""Texts to token ids and back: one interface over several ways of cutting texts."""

from genline.data.tokenizer.text_tokenizer import TextTokenizer, counted, piece_counter

__all__ = ["TextTokenizer", "counted", "piece_counter"]
