"""Exponential and logarithm without branches, which the compiler turns into SIMD instructions.

`exponential` is for codes with fast mathematics. `expm1`, `logarithm` and `log1p` keep every digit near zero, and
their result does not hang on how the caller is compiled.
"""

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic, overload


def _coefficients(degree):
    """Polynomial that equals 2^f on [-1/2, 1/2]: least relative error at Chebyshev nodes (2e-16 at degree 11)."""
    f = np.cos(np.pi * (np.arange(4001) + 0.5) / 4001) / 2
    powers = np.vander(f, degree + 1, increasing=True)
    return tuple(float(c) for c in np.linalg.lstsq(powers / np.exp2(f)[:, None], np.ones(len(f)), rcond=None)[0])


def _fitted(x, function, degree):
    """Coefficients of a polynomial in x with the least relative error at the nodes x."""
    powers = np.vander(x / x.max(), degree + 1, increasing=True) / function[:, None]
    scale = x.max() ** -np.arange(degree + 1.0)
    return tuple(float(c) for c in scale * np.linalg.lstsq(powers, np.ones(len(x)), rcond=None)[0])


def _expm1_coefficients(degree):
    """Polynomial that equals (2^f - 1) / f on [-1/2, 1/2]."""
    f = np.cos(np.pi * (np.arange(4000) + 0.5) / 4000) / 2
    return _fitted(f, np.expm1(f * np.log(2)) / f, degree)


def _logarithm_coefficients(degree):
    """Polynomial in s^2 that equals 2 atanh(s) / s, where s = (m - 1) / (m + 1) and 1/2 <= m^2 <= 2."""
    s = np.sqrt((1 + np.cos(np.pi * (np.arange(4000) + 0.5) / 4000)) / 2) * (3 - 2 * np.sqrt(2))
    return _fitted(s**2, 2 * np.arctanh(s) / s, degree)


_C = _coefficients(11)
_S = tuple(np.float32(c) for c in _coefficients(5))
_E, _E_S = _expm1_coefficients(10), tuple(np.float32(c) for c in _expm1_coefficients(5))
_L, _L_S = _logarithm_coefficients(6), tuple(np.float32(c) for c in _logarithm_coefficients(3))
_LN2, _LN2_S = 0.6931471805599453, np.float32(0.6931471805599453)
_LOG2E, _LOG2E_S = 1.4426950408889634, np.float32(1.4426950408889634)
_HALF, _LEAST, _MOST = np.float32(0.5), np.float32(-126.0), np.float32(127.0)
_ONE, _TWO = np.float32(1.0), np.float32(2.0)
_PLAIN = {"error_model": "numpy", "inline": "always"}  # fast mathematics would round away what these are for


@intrinsic
def _as_float(typing, bits):
    """Read the 64 bits of an integer as a double."""

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.DoubleType())

    return types.float64(types.int64), generate


@intrinsic
def _as_single(typing, bits):
    """Read the 32 bits of an integer as a single."""

    def generate(context, builder, signature, arguments):
        return builder.bitcast(arguments[0], ir.FloatType())

    return types.float32(types.int32), generate


@intrinsic
def exponent(typing, x):
    """Return the whole number n in x = m 2^n with sqrt(1/2) <= m < sqrt(2), for normal numbers x > 0."""
    single = x == types.float32
    integer, shift, root = (types.int32, 23, 0x3F3504F3) if single else (types.int64, 52, 0x3FE6A09E667F3BCD)

    def generate(context, builder, signature, arguments):
        kind = context.get_value_type(integer)
        bits = builder.sub(builder.bitcast(arguments[0], kind), ir.Constant(kind, root))
        return builder.ashr(bits, ir.Constant(kind, shift))

    return integer(x), generate


@intrinsic
def power_of_two(typing, n):
    """Return 2^n for a whole number n in the type of a float, from -126 to 127 or -1022 to 1023."""
    integer, shift, bias = (types.int32, 23, 127) if n == types.float32 else (types.int64, 52, 1023)

    def generate(context, builder, signature, arguments):
        kind = context.get_value_type(integer)
        bits = builder.add(builder.fptosi(arguments[0], kind), ir.Constant(kind, bias))
        return builder.bitcast(builder.shl(bits, ir.Constant(kind, shift)), arguments[0].type)

    return n(n), generate


@intrinsic
def fma(typing, a, b, c):
    """Return a b + c, rounded once: an instruction of its own, and half the waiting of two."""
    return a(a, b, c), lambda context, builder, signature, arguments: builder.fma(*arguments)


@intrinsic
def mantissa(typing, x, n):
    """Return m = x 2^-n, exactly; m and x are normal numbers."""
    shift = 23 if x == types.float32 else 52

    def generate(context, builder, signature, arguments):
        kind = arguments[1].type
        moved = builder.shl(arguments[1], ir.Constant(kind, shift))
        return builder.bitcast(builder.sub(builder.bitcast(arguments[0], kind), moved), arguments[0].type)

    return x(x, n), generate


@njit(fastmath=True, error_model="numpy", inline="always")
def exp32(x):
    """e^x in single precision, to 3e-7; below about -87 it stays at 1e-38."""
    t = max(x * _LOG2E_S, _LEAST)
    n = np.floor(t + _HALF)
    f = t - n
    p = _S[5]
    p = p * f + _S[4]
    p = p * f + _S[3]
    p = p * f + _S[2]
    p = p * f + _S[1]
    p = p * f + _S[0]
    return p * _as_single((np.int32(n) + np.int32(127)) << np.int32(23))


@njit(fastmath=True, error_model="numpy", inline="always")
def exp64(x):
    """e^x = 2^n p(f), with n whole and f in [-1/2, 1/2]; below about -708 it stays at 2e-308."""
    t = max(x * _LOG2E, -1022.0)
    n = np.floor(t + 0.5)
    f = t - n
    p = _C[11]
    p = p * f + _C[10]
    p = p * f + _C[9]
    p = p * f + _C[8]
    p = p * f + _C[7]
    p = p * f + _C[6]
    p = p * f + _C[5]
    p = p * f + _C[4]
    p = p * f + _C[3]
    p = p * f + _C[2]
    p = p * f + _C[1]
    p = p * f + _C[0]
    return p * _as_float((np.int64(n) + 1023) << 52)


def exponential(x):
    """e^x in the precision of x."""
    return np.exp(x)


@overload(exponential, inline="always")
def _exponential(x):
    if x == types.float32:
        return lambda x: exp32(x)
    return lambda x: exp64(x)


@njit(**_PLAIN)
def expm1_32(x):
    """e^x - 1 in single precision, to 3e-7 of itself, for x up to 87."""
    t = min(max(x * _LOG2E_S, _LEAST), _MOST)
    n = np.rint(t)
    f = t - n
    g = f * f  # sums side by side, since each waits for the one before it
    p = fma(fma(fma(_E_S[5], f, _E_S[4]), g, fma(_E_S[3], f, _E_S[2])), g, fma(_E_S[1], f, _E_S[0]))
    power = power_of_two(n)
    return fma(power * f, p, power - _ONE)


@njit(**_PLAIN)
def expm1_64(x):
    """e^x - 1 = 2^n (2^f - 1) + (2^n - 1), of which the second part is exact, and nothing where x is small."""
    t = min(max(x * _LOG2E, -1022.0), 1023.0)
    n = np.rint(t)
    f = t - n
    g = f * f
    h = g * g
    low = fma(fma(_E[3], f, _E[2]), g, fma(_E[1], f, _E[0]))
    middle = fma(fma(_E[7], f, _E[6]), g, fma(_E[5], f, _E[4]))
    p = fma(fma(fma(_E[10], g, fma(_E[9], f, _E[8])), h, middle), h, low)
    power = power_of_two(n)
    return fma(power * f, p, power - 1.0)


@njit(**_PLAIN)
def _log32(f, n):
    """Logarithm of (1 + f) 2^n, with sqrt(1/2) <= 1 + f <= sqrt(2)."""
    s = f / (_TWO + f)
    q = s * s
    p = fma(fma(fma(_L_S[3], q, _L_S[2]), q, _L_S[1]), q, _L_S[0])
    return fma(s, p, np.float32(n) * _LN2_S)


@njit(**_PLAIN)
def _log64(f, n):
    """Logarithm of (1 + f) 2^n = n ln 2 + 2 atanh(f / (2 + f))."""
    s = f / (2.0 + f)
    q = s * s
    r = q * q
    high = fma(fma(_L[6], q, _L[5]), q, _L[4])
    p = fma(fma(high, r, fma(_L[3], q, _L[2])), r, fma(_L[1], q, _L[0]))
    return fma(s, p, np.float64(n) * _LN2)


@njit(**_PLAIN)
def log32(x):
    """Logarithm of a normal number x > 0 in single precision, to 3e-7 of itself."""
    n = exponent(x)
    return _log32(mantissa(x, n) - _ONE, n)


@njit(**_PLAIN)
def log64(x):
    """Logarithm of a normal number x > 0, to 2e-15 of itself."""
    n = exponent(x)
    return _log64(mantissa(x, n) - 1.0, n)


@njit(**_PLAIN)
def log1p_32(x):
    """Logarithm of 1 + x for x > -1 in single precision, to 3e-7 of itself; x as it is where 1 + x would round it."""
    n = exponent(_ONE + x)
    return _log32(x if n == 0 else mantissa(_ONE + x, n) - _ONE, n)


@njit(**_PLAIN)
def log1p_64(x):
    """Logarithm of 1 + x for x > -1; x is taken as it is where 1 + x would round it."""
    n = exponent(1.0 + x)
    return _log64(x if n == 0 else mantissa(1.0 + x, n) - 1.0, n)


def logarithm(x):
    """ln x in the precision of x."""
    return np.log(x)


def log1p(x):
    """ln(1 + x) in the precision of x."""
    return np.log1p(x)


def expm1(x):
    """e^x - 1 in the precision of x."""
    return np.expm1(x)


@overload(logarithm, inline="always")
def _logarithm(x):
    return (lambda x: log32(x)) if x == types.float32 else (lambda x: log64(x))


@overload(log1p, inline="always")
def _log1p(x):
    return (lambda x: log1p_32(x)) if x == types.float32 else (lambda x: log1p_64(x))


@overload(expm1, inline="always")
def _expm1(x):
    return (lambda x: expm1_32(x)) if x == types.float32 else (lambda x: expm1_64(x))
