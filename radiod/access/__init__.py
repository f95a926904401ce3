"""Access as a product: keys, accounts, plans and users that change while the server runs."""
