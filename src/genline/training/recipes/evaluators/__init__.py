"""One module a judge: ``build(context, data, params)`` gives its recipe, ``assess`` its quality."""
