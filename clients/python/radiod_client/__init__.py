"""The Python side of radiod. Each module is imported by its own name, and only ``arrays`` needs NumPy."""
