"""LiteLLM asks Usher before each call and reports what it cost. `callback.py` is what LiteLLM loads."""
