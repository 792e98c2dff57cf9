"""What the tensors of one module are called, however its matrix is stored: the word behind the last dot."""

PLAIN = "weight"
FLOAT8_SCALES = "weight_scale_inv"  # beside a float8 `weight`
# GPTQ, version 1: packed codes, packed zero points, scales, each input's group.
GPTQ_CODES, GPTQ_ZEROS, GPTQ_SCALES, GPTQ_GROUPS = GPTQ_PARTS = ("qweight", "qzeros", "scales", "g_idx")

# What a matrix may be stored as, and the parts that hold no weights of their own.
MATRIX_PARTS = (PLAIN, FLOAT8_SCALES, *GPTQ_PARTS)
BESIDE_CODES = (FLOAT8_SCALES, GPTQ_ZEROS, GPTQ_SCALES, GPTQ_GROUPS)
QUANTIZED_PARTS = (FLOAT8_SCALES, *GPTQ_PARTS)
