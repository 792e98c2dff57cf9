"""What a model wants to write before any prompt: the first-token distribution and its metrics (notebook 02).

`distribution` answers it, through `layerwise_engine` (one layer in memory at a time) or `transformers_engine`.
"""
