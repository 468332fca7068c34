"""In what every page is seen: screens in CSS pixels, each in a theme."""

from typing import Final

WIDE: Final = (1440, 900)
PHONE: Final = (390, 844)
ZOOMED: Final = (720, 450)
"""The wide one at 200 %."""

VIEWS: Final = {
    "wide": (WIDE, "light"),
    "wide-dark": (WIDE, "dark"),
    "phone-dark": (PHONE, "dark"),
    "phone": (PHONE, "light"),
    "200 %": (ZOOMED, "light"),
}
