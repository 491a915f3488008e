"""Values into the units that they are kept in: UCUM by ucumvert, arithmetic by pint."""

import re
from dataclasses import dataclass
from functools import lru_cache
from threading import Lock
from typing import Any

import pint
from lark.exceptions import LarkError
from ucumvert import PintUcumRegistry

from services.note_ingest.catalogue import Quantity
from services.note_ingest.unit_spellings import spelled_out

# How senders write units that UCUM writes otherwise, lower case; IEEE 11073 dimensions among them.
ALIASES = {
    "/min": "/min",
    "bpm": "/min",
    "{bpm}": "/min",
    "rpm": "/min",
    "b/min": "/min",
    "resp/min": "/min",
    "beats per minute": "/min",
    "breaths per minute": "/min",
    "beats/min": "/min",
    "beats/minute": "/min",
    "breaths/min": "/min",
    "breaths/minute": "/min",
    "br/min": "/min",
    "1/min": "/min",
    "min-1": "/min",
    "per minute": "/min",
    "mdc_dim_beat_per_min": "/min",
    "mdc_dim_resp_per_min": "/min",
    "mmhg": "mm[Hg]",
    "mm hg": "mm[Hg]",
    "mm[hg]": "mm[Hg]",
    "mm(hg)": "mm[Hg]",
    "torr": "mm[Hg]",
    "mdc_dim_mmhg": "mm[Hg]",
    "kpa": "kPa",
    "mdc_dim_kilo_pascal": "kPa",
    "cmh2o": "cm[H2O]",
    "c": "Cel",
    "cel": "Cel",
    "degc": "Cel",
    "deg c": "Cel",
    "deg. c": "Cel",
    "degrees c": "Cel",
    "°c": "Cel",
    "° c": "Cel",
    "ºc": "Cel",  # the ordinal sign, which looks like the degree sign
    "℃": "Cel",
    "celsius": "Cel",
    "mdc_dim_degc": "Cel",
    "f": "[degF]",
    "degf": "[degF]",
    "deg f": "[degF]",
    "deg. f": "[degF]",
    "degrees f": "[degF]",
    "°f": "[degF]",
    "° f": "[degF]",
    "ºf": "[degF]",
    "℉": "[degF]",
    "fahrenheit": "[degF]",
    "mdc_dim_fahr": "[degF]",
    "[degf]": "[degF]",
    "pct": "%",
    "percent": "%",
    "{percent}": "%",
    "{%}": "%",
    "mdc_dim_percent": "%",
    "fraction": "1",
    "{fraction}": "1",
    "ratio": "1",
    "mdc_dim_dimless": "1",
    "l/min": "L/min",
    "l/m": "L/min",
    "lpm": "L/min",
    "mdc_dim_l_per_min": "L/min",
    "mdc_dim_x_l_per_min": "L/min",
    "kg": "kg",
    "cm": "cm",
    "lb": "[lb_av]",
    "lbs": "[lb_av]",
    "in": "[in_i]",
    "inch": "[in_i]",
    "mg/dl": "mg/dL",
    "g/dl": "g/dL",
    "g/l": "g/L",
    "mg/l": "mg/L",
    "mmol/l": "mmol/L",
    "umol/l": "umol/L",
    "µmol/l": "umol/L",
    "μmol/l": "umol/L",
    "meq/l": "meq/L",
    "ng/ml": "ng/mL",
    "ng/l": "ng/L",
    "pg/ml": "pg/mL",
    "ug/l": "ug/L",
    "iu/l": "U/L",
    "[iu]/l": "U/L",
    "u/l": "U/L",
    "k/ul": "10*3/uL",
    "k/cmm": "10*3/uL",
    "thou/ul": "10*3/uL",
    "x10e3/ul": "10*3/uL",
    "x10(3)/ul": "10*3/uL",
    "10^3/ul": "10*3/uL",
    "10*3/ul": "10*3/uL",
    "10e3/ul": "10*3/uL",
    "cells/ul": "/uL",
    "/mm3": "/uL",
    "g.l-1": "g/L",
    "giga.l-1": "10*9/L",
    "giga/l": "10*9/L",
    "g/l-1": "g/L",
    "10^9/l": "10*9/L",
    "10e9/l": "10*9/L",
    "x10e9/l": "10*9/L",
    "x10^9/l": "10*9/L",
    "10*9/l": "10*9/L",
    "tera.l-1": "10*12/L",
    "10^12/l": "10*12/L",
    "sec": "s",
    "seconds": "s",
    "ml": "mL",
    "cc": "mL",
}
ANNOTATION = re.compile(r"\{[^{}]*\}")  # UCUM: says what is counted, changes no unit
LONGEST_UNIT = 40
# Charge numbers for meq: all that is kept in mmol/L and sent in meq/L is univalent, but for these.
VALENCE = {"magnesium": 2, "calcium": 2}
PERCENT_FROM = 1.0  # an FiO2 above this can only be percent, whatever unit came with it


@dataclass(frozen=True, slots=True)
class Converted:
    """A value in the quantity's unit; `ok` is False when it could not be converted and is as sent."""

    value: float
    unit: str
    ok: bool
    changed: bool


class Units:
    """Converts; remembers each pair of unit and quantity as factor and offset."""

    def __init__(self) -> None:
        self._registry = PintUcumRegistry()
        self._one_at_a_time = Lock()  # large messages are read in threads, and pint says nothing about those
        self._linear = lru_cache(maxsize=4096)(self._find_linear)

    def convert(self, value: float, unit: str, quantity: Quantity) -> Converted:
        """`value` in `quantity.unit`; a missing unit counts as that unit."""
        sent = unit.strip()
        if not sent or sent == quantity.unit:
            return self._fraction(Converted(value, quantity.unit, ok=True, changed=False), quantity)
        linear = self._linear(sent, quantity)
        if linear is None:
            return Converted(value, sent, ok=False, changed=False)
        factor, offset = linear
        changed = (factor, offset) != (1.0, 0.0)
        result = round(value * factor + offset, 10) if changed else value
        return self._fraction(Converted(result, quantity.unit, ok=True, changed=changed), quantity)

    def _fraction(self, converted: Converted, quantity: Quantity) -> Converted:
        if quantity.name == "fio2" and converted.value > PERCENT_FROM:
            return Converted(round(converted.value / 100, 10), quantity.unit, ok=True, changed=True)
        return converted

    def _find_linear(self, sent: str, quantity: Quantity) -> tuple[float, float] | None:
        if len(sent) > LONGEST_UNIT:
            return None
        if quantity.unit.startswith("{") or quantity.unit == "[pH]":
            return (1.0, 0.0)
        codes = (_code(sent), spelled_out(ANNOTATION.sub("", sent), quantity.unit))
        return next((linear for code in codes if code and (linear := self._linear_of(code, quantity))), None)

    def _linear_of(self, code: str, quantity: Quantity) -> tuple[float, float] | None:
        if code == quantity.unit:
            return (1.0, 0.0)
        try:
            with self._one_at_a_time:
                zero, one = (self._to(value, code, quantity) for value in (0.0, 1.0))
        except (pint.PintError, LarkError, AttributeError, ValueError, TypeError, ArithmeticError):
            return None  # no UCUM unit, or one of another kind of quantity
        return float(f"{one - zero:.12g}"), float(f"{zero:.12g}")

    def _to(self, value: float, code: str, quantity: Quantity) -> float:
        unit, kept = self._registry.from_ucum(code), self._registry.from_ucum(quantity.unit)
        source = self._registry.Quantity(value * unit.magnitude, unit.units)
        if quantity.molar_mass is not None and "[substance]" in source.dimensionality:
            valence = VALENCE.get(quantity.name, 1) if "eq" in code else 1
            source = source * self._registry.Quantity(quantity.molar_mass / valence, "g/mol")
        if quantity.molar_mass is not None and "[substance]" in kept.dimensionality:
            source = self._to_amount(source, quantity)
        return float(source.to(kept.units).magnitude / kept.magnitude)

    def _to_amount(self, source: Any, quantity: Quantity) -> Any:
        return source / self._registry.Quantity(quantity.molar_mass, "g/mol") if _is_mass(source) else source


def _code(sent: str) -> str:
    """UCUM code of a unit as sent; an annotation alone counts things, which is the unit 1."""
    bare = ANNOTATION.sub("", sent).strip() or "1"
    return ALIASES.get(sent.lower()) or ALIASES.get(bare.lower(), bare)


def _is_mass(quantity: Any) -> bool:
    return "[mass]" in quantity.dimensionality
