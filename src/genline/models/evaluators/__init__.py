"""The frozen judges: one network a dataset, fitted on its training split and never again.

Images are judged in the feature head of a classifier, texts by a language model. ``store`` keeps
them on disk; no candidate is trained with them.
"""
