"""How likely a patient in intensive care is to die in hospital, or to become septic: inputs of both models, and why.

Pure and of numpy alone; training, the live service and `vigil risk` use the same functions.
"""
