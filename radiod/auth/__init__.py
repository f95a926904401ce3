"""Who may come in and what they may do: one module for each authentication method, and the static roles."""
