"""Procedures under ``radiod.admin.``: a family for each book."""
