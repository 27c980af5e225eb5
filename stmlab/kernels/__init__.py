"""The loops that must be fast, compiled with numba. Each has a NumPy twin elsewhere that teaches the equation."""

OPTIONS = {"fastmath": True, "error_model": "numpy", "nogil": True, "cache": True}
# What several kernels share is copied into each before compilation: whether the compiler inlines it would otherwise
# depend on what is cached, and with it the last bits of the result.
INLINED = {"fastmath": True, "error_model": "numpy", "inline": "always"}
# Without fast mathematics the result is the same wherever the compiler puts the code. It must be switched off, since a
# function that says nothing takes over what its first caller does.
EXACT = {"fastmath": False, "error_model": "numpy", "nogil": True, "cache": True}
