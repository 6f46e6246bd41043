"""One module a family: ``build(context, data, model, train)`` gives its :class:`Recipe`.

``classifier`` and ``language_model`` train the frozen judges in the same way.
"""
