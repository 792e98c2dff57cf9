"""How far a model is from another one, token by token, on the same texts (notebooks 03 to 05)."""
