"""What compression does to programming tokens: an instrument in a folder for each question, imports pointing down.

Importing it costs nothing: numpy, torch and transformers are loaded when something is computed.
"""
