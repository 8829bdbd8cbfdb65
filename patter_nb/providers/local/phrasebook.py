"""The tables of the text normaliser: what is written, and what is said for it. American English."""

from __future__ import annotations

CURRENCIES = {
    "USD": ("dollar", "dollars", "cent", "cents"),
    "EUR": ("euro", "euros", "cent", "cents"),
    "GBP": ("pound", "pounds", "penny", "pence"),
    "CAD": ("Canadian dollar", "Canadian dollars", "cent", "cents"),
    "AUD": ("Australian dollar", "Australian dollars", "cent", "cents"),
    "CHF": ("Swiss franc", "Swiss francs", "", ""),
    "JPY": ("yen", "yen", "", ""),
    "INR": ("rupee", "rupees", "", ""),
}
"""Code: one, many, one hundredth, many hundredths (empty: decimals are read as such)."""

CURRENCY_SIGNS = {"$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR"}

SCALES = {
    "k": "thousand", "thousand": "thousand", "m": "million", "million": "million", "bn": "billion", "billion": "billion",
}  # fmt: skip

PER = "night|day|week|month|year|hour|person|guest|room|kilo|pound|mile"
"""What stands behind a slash after an amount of money."""

UNITS = {
    "km/h": ("kilometer per hour", "kilometers per hour"),
    "km": ("kilometer", "kilometers"),
    "cm": ("centimeter", "centimeters"),
    "mm": ("millimeter", "millimeters"),
    "m2": ("square meter", "square meters"),
    "sq ft": ("square foot", "square feet"),
    "ft": ("foot", "feet"),
    "mi": ("mile", "miles"),
    "mph": ("mile per hour", "miles per hour"),
    "kg": ("kilogram", "kilograms"),
    "mg": ("milligram", "milligrams"),
    "g": ("gram", "grams"),
    "lbs": ("pound", "pounds"),
    "lb": ("pound", "pounds"),
    "oz": ("ounce", "ounces"),
    "ml": ("milliliter", "milliliters"),
    "l": ("liter", "liters"),
    "kWh": ("kilowatt hour", "kilowatt hours"),
    "kW": ("kilowatt", "kilowatts"),
    "W": ("watt", "watts"),
    "V": ("volt", "volts"),
    "GB": ("gigabyte", "gigabytes"),
    "MB": ("megabyte", "megabytes"),
    "Mbps": ("megabit per second", "megabits per second"),
    "hrs": ("hour", "hours"),
    "hr": ("hour", "hours"),
    "h": ("hour", "hours"),
    "mins": ("minute", "minutes"),
    "min": ("minute", "minutes"),
    "secs": ("second", "seconds"),
    "sec": ("second", "seconds"),
    "ms": ("millisecond", "milliseconds"),
    "°C": ("degree Celsius", "degrees Celsius"),
    "°F": ("degree Fahrenheit", "degrees Fahrenheit"),
    "°": ("degree", "degrees"),
}
"""Behind a number: one, many."""

FRACTIONS = {
    "1/2": "a half", "1/3": "a third", "2/3": "two thirds", "1/4": "a quarter", "3/4": "three quarters", "1/8": "an eighth",
}  # fmt: skip

ABBREVIATIONS = {
    "e.g.": "for example",
    "i.e.": "that is",
    "etc.": "et cetera",
    "vs.": "versus",
    "approx.": "approximately",
    "mr.": "Mister",
    "mrs.": "Missus",
    "ms.": "Miz",
    "prof.": "Professor",
    "jr.": "junior",
    "sr.": "senior",
    "inc.": "incorporated",
    "ltd.": "limited",
    "corp.": "corporation",
    "dept.": "department",
    "apt.": "apartment",
    "ave.": "avenue",
    "blvd.": "boulevard",
    "rd.": "road",
    "hwy.": "highway",
    "ext.": "extension",
    "tel.": "telephone",
    "appt.": "appointment",
    "max.": "maximum",
    "w/o": "without",
    "w/": "with",
    "b&b": "bed and breakfast",
    "a.m.": "A.M",
    "p.m.": "PM",
}
"""Lower case, with what ends it; found in any case, at the start of a word."""

MAY_END = {"etc.", "jr.", "sr.", "inc.", "ltd.", "corp.", "ave.", "blvd.", "rd.", "hwy.", "a.m.", "p.m."}
"""Abbreviations whose dot may end the sentence as well."""

TITLES = (
    (r"\b(?!At|In|On|To|From|Near|The|By|And|Visit)([A-Z][a-z]+)\sSt\.(?=\s*$|\s+[A-Z])", r"\1 Street."),
    (r"\b([A-Za-z]+)\sSt\b\.?+(?=\s*(?:[,;.!?]|$)|\s+[a-z0-9])", r"\1 Street"),
    (r"\bSt\.?(?=\s+[A-Z])", "Saint"),
    (r"\b([A-Z][a-z]+)\sDr\.(?=\s*$)", r"\1 Drive."),
    (r"\b([A-Z][a-z]+)\sDr\b\.?+(?=\s*(?:[,;.!?]|$)|\s+[a-z0-9])", r"\1 Drive"),
    (r"\bDr\b\.?", "Doctor"),
    (r"\bU\.S\.A\.", "U S A"),
    (r"\bU\.S\.", "U S"),
    (r"\bU\.K\.", "U K"),
)
"""Patterns whose meaning hangs on what stands beside them, in order."""

YEAR_CUES = "in|since|by|until|till|before|after|from|of|year|to|and|early|late|summer|winter|spring|fall|autumn"
"""Words after which four digits are a year."""

DOMAINS = "com|org|net|edu|gov|io|co|ai|app|dev|info|biz|us|uk|de|eu|example"

ADDRESS_SIGNS = {
    "@": "at", ".": "dot", "/": "slash", "-": "dash", "_": "underscore", ":": "colon", "+": "plus", "?": "question mark",
    "=": "equals", "&": "and", "#": "hash", "%": "percent", "~": "tilde",
}  # fmt: skip

SIGNS = {
    "&": " and ", "+": " plus ", "=": " equals ", "@": " at ", "%": " percent ", "/": " ", "°": " degrees ", "$": " dollars ",
    "€": " euros ", "£": " pounds ", "¥": " yen ", "₹": " rupees ", "¢": " cents ", "#": " ", "×": " times ", "÷": " divided by ",
    "(": ", ", ")": ", ", "±": " plus or minus ", "§": " section ",
}  # fmt: skip
"""Signs that are left when all rules have been applied."""
