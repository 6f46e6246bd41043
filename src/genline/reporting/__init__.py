"""What a person looks at: sample grids, figures, the validation page and the report."""
