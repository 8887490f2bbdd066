"""The pages; `generate` writes those that are made from the code."""
