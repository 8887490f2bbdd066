"""The commands of a node's console: `table` says what there is, `handlers` what each does."""
