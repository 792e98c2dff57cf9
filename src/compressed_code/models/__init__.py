"""Any checkpoint as a model of torch, in which precision, and what "no prompt" means to it."""
