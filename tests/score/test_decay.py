"""How an episode fades, against the curve that it follows."""

from __future__ import annotations

from decimal import Decimal, localcontext

from hypothesis import given, settings
from hypothesis import strategies as st

from detector.score.decay import WHOLE, left

HALF_LIFE_US = st.integers(3_600_000_000, 400 * 86_400_000_000)


def test_whole_at_once_and_half_at_each_half_life() -> None:
    assert [left(n * 7, 7) for n in range(31)] == [WHOLE >> n for n in range(31)]
    assert left(31 * 7, 7) == 0
    assert left(-1, 7) == WHOLE


@settings(deadline=None)
@given(age_us=st.integers(0, 10**15), half_life_us=HALF_LIFE_US)
def test_never_a_millionth_off_the_curve(age_us: int, half_life_us: int) -> None:
    with localcontext(prec=40):
        curve = Decimal(2) ** (-Decimal(age_us) / half_life_us)
    assert abs(Decimal(left(age_us, half_life_us)) / WHOLE - curve) < Decimal("1e-6")


@settings(deadline=None)
@given(age_us=st.integers(0, 10**13), later_us=st.integers(0, 10**12), half_life_us=HALF_LIFE_US)
def test_never_rising(age_us: int, later_us: int, half_life_us: int) -> None:
    assert left(age_us + later_us, half_life_us) <= left(age_us, half_life_us)
