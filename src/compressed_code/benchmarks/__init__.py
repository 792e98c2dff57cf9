"""How much of the code that a model writes is right: tasks, samples, their execution, pass rates.

Nothing is re-exported here, so that whoever reads tasks does not load what runs programs.
"""
