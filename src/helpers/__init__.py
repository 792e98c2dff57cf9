"""What the notebooks share: how a chart and a claim are kept, how a notebook runs headless, what results are held to.

The instruments themselves are the library `compressed_code`.
"""
