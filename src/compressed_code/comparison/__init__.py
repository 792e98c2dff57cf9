"""One base model beside the models that were made from it: what was changed, whether it is sound, what it does.

comparison                the door `compare`, and what it gives back
changes                   what was changed: bits, method, size, family; vocabulary and settings
stored_forms, tensor_errors, causes, health
                          tensor by tensor: the error that a stored type should have, and why one has more
first_tokens, tokens, passages, programs
                          what it does: cold start, divergence by class and confidence, flips in context, programs
summary, page             the same for a terminal, and as one HTML file
"""
