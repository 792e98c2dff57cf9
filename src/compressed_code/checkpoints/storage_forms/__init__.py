"""How quantizers store the weight of a module: which tensors it takes, and the matrix they stand for."""
