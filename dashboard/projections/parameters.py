"""What is believed before the record is looked at: each parameter's distribution, why, on what, and since when.

A parameter may have several entries; the one that counts on a day is the last whose evidence was public by then. So
the model of May 2024 does not know what was learnt later. `citation` is an address, or `judgement` where a number is
ours: such a number is an opinion, and `rationale` says what it leans on.

All distributions are functions of a standard normal variable, so that a set of parameters is a point in a space where
the prior is a standard normal distribution: that is what the fit moves in.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy import stats
from scipy.special import ndtr

Floats = NDArray[np.float64]

JUDGEMENT: Final = "judgement"


@dataclass(frozen=True, kw_only=True)
class Prior:
    """One belief. `a` and `b` are: normal mean and sd; lognormal median and log sd; halfnormal scale; uniform ends;
    beta's two shapes; triangular ends around `mode`; the parameter is held within `least` and `most`.

    `fitted`: the record says something about it; others keep their prior.
    """

    name: str
    meaning: str
    unit: str
    distribution: str
    a: float
    b: float = 0.0
    mode: float = 0.0
    least: float = -np.inf
    most: float = np.inf
    fitted: bool = False
    rationale: str
    citation: str
    known_from: date

    def quantile(self, share: float) -> float:
        """The value below which the parameter lies with this probability."""
        return float(np.clip(_quantiles(self)(np.array([share]))[0], self.least, self.most))

    def of_normal(self, x: Floats) -> Floats:
        """The parameter at standard normal scores `x`, of any shape; beyond ±6 it stays where it is at 6."""
        grid, values = _table(self)
        return np.interp(x, grid, values)

    @property
    def low(self) -> float:
        """The 10 % quantile."""
        return self.quantile(0.1)

    @property
    def central(self) -> float:
        """The median."""
        return self.quantile(0.5)

    @property
    def high(self) -> float:
        """The 90 % quantile."""
        return self.quantile(0.9)


def _quantiles(prior: Prior) -> Callable[[Floats], Floats]:
    a, b = prior.a, prior.b
    frozen = {
        "normal": lambda: stats.norm(a, b),
        "lognormal": lambda: stats.lognorm(b, scale=a),
        "halfnormal": lambda: stats.halfnorm(scale=a),
        "uniform": lambda: stats.uniform(a, b - a),
        "beta": lambda: stats.beta(a, b),
        "triangular": lambda: stats.triang((prior.mode - a) / (b - a), a, b - a),
    }
    made: Callable[[Floats], Floats] = frozen[prior.distribution]().ppf
    return made


@lru_cache(maxsize=256)
def _table(prior: Prior) -> tuple[Floats, Floats]:
    grid = np.linspace(-6.0, 6.0, 4001)
    return grid, np.clip(_quantiles(prior)(ndtr(grid)), prior.least, prior.most)


_CONCEPTION: Final = date(2021, 7, 16)
"""The start of the subscription: judgements that lean on nothing dated are dated so, as the model starts there."""

PRIORS: Final[tuple[Prior, ...]] = (
    Prior(
        name="lifetime", meaning="mean life of a car", unit="years", distribution="normal", a=16.5, b=2.0,
        least=8.0, fitted=True,
        rationale="Cars of all kinds last some 14 to 19 years; nothing on battery cars was published yet.",
        citation=JUDGEMENT, known_from=_CONCEPTION,
    ),
    Prior(
        name="lifetime", meaning="mean life of a car", unit="years", distribution="normal", a=18.4, b=1.5,
        least=8.0, fitted=True,
        rationale="Battery cars' mean life in 300 million British test records (Nature Energy, January 2025).",
        citation="https://www.theengineer.co.uk/content/news/study-highlights-improved-longevity-of-battery-electric-vehicles",
        known_from=date(2025, 1, 24),
    ),
    Prior(
        name="wear", meaning="Weibull shape of a car's life", unit="-", distribution="normal", a=3.5, b=0.4,
        least=1.0, fitted=True,
        rationale="Few cars are scrapped young: at this shape 8 % within ten years.",
        citation=JUDGEMENT, known_from=_CONCEPTION,
    ),
    Prior(
        name="worth_us", meaning="median price that a US owner would pay, city driving under supervision", unit="USD",
        distribution="lognormal", a=4000.0, b=0.4, fitted=True,
        rationale="1,260 Americans would pay 3,500 USD on average for partial and 4,900 USD for full automation.",
        citation="https://fortune.com/2017/05/08/self-driving-cars-prices/", known_from=date(2017, 5, 8),
    ),
    Prior(
        name="worth_spread", meaning="spread of what owners would pay", unit="ln", distribution="normal", a=0.9, b=0.2,
        least=0.4, fitted=True,
        rationale="In the same study a third would pay much, a third a little, a third nothing.",
        citation="https://fortune.com/2017/05/08/self-driving-cars-prices/", known_from=date(2017, 5, 8),
    ),
    Prior(
        name="worth_cn", meaning="what a Chinese owner would pay, against a US one", unit="ln", distribution="normal",
        a=-0.7, b=0.3, fitted=True,
        rationale="Of Chinese asked, 26 % would pay nothing, 39 % less than 2,900 USD, 34 % more; the size is judged.",
        citation="https://scribd.com/document/552388402/Peng-Liu-Qianru-Guo-Fei-Ren-Lin-Wang-Zhigang-Xu-Willingness-to-pay-for-self-driving-vehicles-Influences-of-demographic-and-psychological-factors",
        known_from=date(2019, 1, 1),
    ),
    Prior(
        name="worth_eu", meaning="what a European owner would pay, against a US one", unit="ln", distribution="normal",
        a=-0.3, b=0.3, fitted=True,
        rationale="Less driving alone over long distances, lower incomes; no survey of owners is at hand.",
        citation=JUDGEMENT, known_from=_CONCEPTION,
    ),
    Prior(
        name="worth_rest", meaning="what an owner in Korea, Japan, Oceania or elsewhere would pay, against a US one",
        unit="ln", distribution="normal", a=-0.3, b=0.3, fitted=True,
        rationale="As in Europe, for want of any figure.", citation=JUDGEMENT, known_from=_CONCEPTION,
    ),
    Prior(
        name="gain_partial", meaning="worth of a release without city streets", unit="ln", distribution="normal",
        a=-0.35, b=0.25,
        rationale="The step from partial to full automation in the study of 2017, taken downwards: ln(4,900 / 3,500).",
        citation="https://fortune.com/2017/05/08/self-driving-cars-prices/", known_from=date(2017, 5, 8),
    ),
    Prior(
        name="gain_eyes_off", meaning="worth of taking the eyes off the road", unit="ln", distribution="normal",
        a=0.35, b=0.25,
        rationale="The step from partial to full automation in the study of 2017: ln(4,900 / 3,500) = 0.34.",
        citation="https://fortune.com/2017/05/08/self-driving-cars-prices/", known_from=date(2017, 5, 8),
    ),
    Prior(
        name="gain_unsupervised", meaning="worth of driving without supervision", unit="ln", distribution="normal",
        a=0.9, b=0.25,
        rationale="14,589 USD for full against 5,551 USD for partial automation in a Texan survey.",
        citation="https://driverlesstransportation.com/12078-12078", known_from=date(2017, 1, 1),
    ),
    Prior(
        name="rivals", meaning="how much worth is lost where all rivals give the same for free", unit="ln",
        distribution="halfnormal", a=0.6,
        rationale="Owners who can have it for free elsewhere pay less; nobody has measured how much less.",
        citation=JUDGEMENT, known_from=_CONCEPTION,
    ),
    Prior(
        name="untrained", meaning="quality of a release that was not trained on the region's roads", unit="ratio",
        distribution="beta", a=9.0, b=6.0,
        rationale="Rules and signs differ; such a release would be worth something over half of a trained one.",
        citation=JUDGEMENT, known_from=_CONCEPTION,
    ),
    Prior(
        name="months_counted", meaning="months of subscription that a buyer weighs against the price", unit="months",
        distribution="uniform", a=24.0, b=60.0, fitted=True,
        rationale="Cars are kept or leased for two to five years; 8,000 USD at 99 USD a month would be 80 months.",
        citation=JUDGEMENT, known_from=_CONCEPTION,
    ),
    Prior(
        name="at_purchase", meaning="share of willing owners who take it with the new car", unit="share",
        distribution="beta", a=4.0, b=4.0, fitted=True,
        rationale="Some order it at once, some wait; nothing tells how many.",
        citation=JUDGEMENT, known_from=_CONCEPTION,
    ),
    Prior(
        name="forced", meaning="further buyers among new cars once basic assistance is not standard", unit="ratio",
        distribution="lognormal", a=0.8, b=0.5, fitted=True,
        rationale="Net additions per delivered car doubled in the quarter in which Autosteer stopped being standard.",
        citation="https://drivenewsnetwork.com/2026/02/tesla-fsd-subscription-price-hikes-loom-as-autopilot-gets-axed/?amp=1",
        known_from=date(2026, 4, 22),
    ),
    Prior(
        name="initiative", meaning="share of willing owners without it who take it each quarter unprompted",
        unit="per quarter", distribution="lognormal", a=0.004, b=0.7, fitted=True,
        rationale="Diffusion of car technologies varies widely, so the prior does.",
        citation=JUDGEMENT, known_from=_CONCEPTION,
    ),
    Prior(
        name="imitation", meaning="the same, by the example of others once all willing have it", unit="per quarter",
        distribution="lognormal", a=0.06, b=0.6, most=0.9, fitted=True,
        rationale="As above; Massiani and Gohs found no value that could be carried over.",
        citation=JUDGEMENT, known_from=_CONCEPTION,
    ),
    Prior(
        name="churn", meaning="subscribers who cancel in a month", unit="per month", distribution="beta", a=3.0, b=97.0,
        fitted=True,
        rationale="Costly car services lose some 3 % a month; about 30 % renew after GM's three free years.",
        citation=JUDGEMENT, known_from=_CONCEPTION,
    ),
    Prior(
        name="converted", meaning="share of cars on a free trial that subscribe after it", unit="share",
        distribution="beta", a=2.0, b=40.0, fitted=True,
        rationale="Few stay on after a free month of anything.", citation=JUDGEMENT, known_from=_CONCEPTION,
    ),
    Prior(
        name="converted", meaning="share of cars on a free trial that subscribe after it", unit="share",
        distribution="beta", a=2.0, b=60.0, fitted=True,
        rationale="2 % in a panel of 3,500 owners (YipitData), 6 % assumed by an investor.",
        citation="https://ttm.financial/post/295157200765016", known_from=date(2024, 5, 13),
    ),
    Prior(
        name="outright_dear", meaning="share who buy for good while the subscription is dear (199 USD)", unit="share",
        distribution="beta", a=6.0, b=2.0, fitted=True,
        rationale="At 199 USD a month the price of 10,000 to 15,000 USD is reached in five years: most bought.",
        citation=JUDGEMENT, known_from=_CONCEPTION,
    ),
    Prior(
        name="outright_cheap", meaning="share who buy for good while the subscription is cheap (99 USD)", unit="share",
        distribution="beta", a=3.0, b=5.0, fitted=True,
        rationale="At 99 USD the price of 8,000 USD is reached in nearly seven years: most subscribe.",
        citation=JUDGEMENT, known_from=date(2024, 4, 20),
    ),
    Prior(
        name="ahead", meaning="share of new cars that buy outright before the region's approval", unit="share",
        distribution="lognormal", a=0.02, b=0.7, most=0.2, fitted=True,
        rationale="Europeans had bought 88,700 by mid-2021 without any approval, fewer a car as years passed without.",
        citation="https://ricky-singh.medium.com/fewer-people-are-purchasing-teslas-self-driving-feature-bb32fea6130e?source=user_profile---------6-------------------------------",
        known_from=_CONCEPTION,
    ),
    Prior(
        name="survey_error", meaning="true starting stock against the survey's", unit="ratio", distribution="lognormal",
        a=1.0, b=0.15, fitted=True,
        rationale="Over 17,000 owners answered of themselves: enthusiasts, who buy more; 15 %.",
        citation=JUDGEMENT, known_from=_CONCEPTION,
    ),
    Prior(
        name="noise", meaning="spread of quarters around the equations", unit="ln", distribution="halfnormal", a=0.5,
        most=2.0, fitted=True,
        rationale="Releases, trials and prices move a quarter more than diffusion does.",
        citation=JUDGEMENT, known_from=_CONCEPTION,
    ),
    Prior(
        name="ramp", meaning="time from an approval to availability on all cars that can run it", unit="quarters",
        distribution="uniform", a=1.0, b=4.0,
        rationale="Releases are rolled out in waves over weeks to months.", citation=JUDGEMENT, known_from=_CONCEPTION,
    ),
    Prior(
        name="late", meaning="how late an announced approval comes", unit="months", distribution="lognormal",
        a=9.0, b=1.0,
        rationale="The maker's dates for self-driving had been missed by a year and more.",
        citation=JUDGEMENT, known_from=_CONCEPTION,
    ),
    Prior(
        name="late", meaning="how late an announced approval comes", unit="months", distribution="lognormal",
        a=6.0, b=0.9,
        rationale="Europe came 12 months after the date of 2024 and 6 weeks after that of 2026; China still pending.",
        citation="https://www.basenor.com/blogs/news/tesla-fsd-wide-release-in-china-expected-this-quarter",
        known_from=date(2026, 5, 21),
    ),
    Prior(
        name="local_build", meaning="time to build and use a data centre in China", unit="months",
        distribution="lognormal", a=18.0, b=0.6,
        rationale="A large data centre takes one to three years from the plan.",
        citation=JUDGEMENT, known_from=_CONCEPTION,
    ),
    Prior(
        name="local_build", meaning="time to build and use a data centre in China", unit="months",
        distribution="lognormal", a=21.0, b=0.25,
        rationale="From the report of the plan in May 2024 to the word of February 2026 that it runs: 21 months.",
        citation="https://teslanorth.com/2026/02/06/tesla-just-activated-a-new-ai-center-to-solve-fsd-in-china",
        known_from=date(2026, 2, 6),
    ),
    Prior(
        name="export_assessment", meaning="time of a security assessment of data exports", unit="months",
        distribution="lognormal", a=12.0, b=0.6,
        rationale="The rules name months, practice takes longer.", citation=JUDGEMENT, known_from=_CONCEPTION,
    ),
    Prior(
        name="export_granted", meaning="whether the export of data is granted: 1 where the draw lies below the chance",
        unit="share", distribution="uniform", a=0.0, b=1.0,
        rationale="A coin, thrown once a draw; the chance is a lever.", citation=JUDGEMENT, known_from=_CONCEPTION,
    ),
    Prior(
        name="chip_wait", meaning="wait for chips, against the expected one", unit="ratio", distribution="normal",
        a=1.0, b=0.5, least=0.0,
        rationale="Half of the expected wait either way.", citation=JUDGEMENT, known_from=_CONCEPTION,
    ),
    Prior(
        name="growth", meaning="growth of deliveries after the record", unit="per year", distribution="normal",
        a=0.25, b=0.15, most=0.5,
        rationale="Deliveries had grown by half every year for a decade.",
        citation=JUDGEMENT, known_from=_CONCEPTION,
    ),
    Prior(
        name="growth", meaning="growth of deliveries after the record", unit="per year", distribution="normal",
        a=0.12, b=0.10, most=0.5,
        rationale="Deliveries grew by 38 % in 2023, and fell on the year in the first quarter of 2024.",
        citation=JUDGEMENT, known_from=date(2024, 4, 2),
    ),
    Prior(
        name="growth", meaning="growth of deliveries after the record", unit="per year", distribution="normal",
        a=0.02, b=0.05, most=0.3,
        rationale="1.81, 1.79 and 1.64 million cars in 2023, 2024 and 2025: no growth, either way from there.",
        citation="https://electrek.co/2026/01/28/tesla-discloses-fsd-subscriber-count-first-time-1-million/",
        known_from=date(2026, 1, 28),
    ),
    Prior(
        name="booked", meaning="share of an outright sale that is recognised at once", unit="share",
        distribution="beta", a=4.0, b=4.0,
        rationale="Half of the package worked at the sale, half was still promised.",
        citation=JUDGEMENT,
        known_from=_CONCEPTION,
    ),
    Prior(
        name="booked", meaning="share of an outright sale that is recognised at once", unit="share",
        distribution="beta", a=8.0, b=4.0,
        rationale="About half in 2022; more since the wide release in North America.",
        citation="https://wccftechzz.pages.dev/posts/tesla-has-unlocked-substantial-deferred-revenue-recognition-by-expanding-its-fsd-beta-to-100-000-additional-users",
        known_from=date(2023, 1, 25),
    ),
    Prior(
        name="deferred_life", meaning="time over which deferred revenue is recognised", unit="years",
        distribution="lognormal", a=5.0, b=0.4,
        rationale="The life of features not delivered yet, judged.", citation=JUDGEMENT, known_from=_CONCEPTION,
    ),
    Prior(
        name="deferred_life", meaning="time over which deferred revenue is recognised", unit="years",
        distribution="lognormal", a=7.0, b=0.3,
        rationale="494 million USD were recognised in the year to March 2024 out of 3.5 billion: a seventh a year.",
        citation="http://bnn.ca/tesla-s-self-driving-software-is-a-perpetual-revenue-letdown-1.2063452",
        known_from=date(2024, 4, 24),
    ),
    Prior(
        name="freed", meaning="share of a region's deferred revenue recognised when its level rises", unit="share",
        distribution="beta", a=2.0, b=6.0,
        rationale="Releases freed a part of it before, less than the maker had forecast: biased downwards.",
        citation=JUDGEMENT, known_from=_CONCEPTION,
    ),
    Prior(
        name="deferred_start", meaning="deferred revenue in mid-2021", unit="USD",
        distribution="lognormal", a=2.0e9, b=0.25,
        rationale="2.1 billion USD had been paid by then, about half of it booked; connectivity is in it too.",
        citation="https://ricky-singh.medium.com/fewer-people-are-purchasing-teslas-self-driving-feature-bb32fea6130e?source=user_profile---------6-------------------------------",
        known_from=_CONCEPTION,
    ),
    Prior(
        name="royalty", meaning="licence fee of another maker", unit="USD per car", distribution="triangular",
        a=100.0, b=1500.0, mode=400.0,
        rationale="Below what rivals charge their own buyers: Huawei's basic set costs 5,000 CNY.",
        citation=JUDGEMENT, known_from=date(2023, 6, 9),
    ),
)  # fmt: skip


def known(as_of: date) -> tuple[Prior, ...]:
    """The priors as one could hold them on that day, one a name, in the order of PRIORS."""
    last: dict[str, Prior] = {}
    for prior in PRIORS:
        if prior.known_from <= as_of and (prior.name not in last or prior.known_from >= last[prior.name].known_from):
            last[prior.name] = prior
    return tuple(last.values())


@dataclass(frozen=True)
class Draws:
    """Sets of parameters (N of them) with the shocks that go with each.

    `values`: name to (N). `shocks` (Q, N): independent standard normal, by quarter from the one after `record.START`.
    A name that was not known on the day of the set is absent. `seed` makes them again.
    """

    values: Mapping[str, Floats]
    shocks: Floats
    seed: int

    def __len__(self) -> int:
        return int(self.shocks.shape[1])

    def __getitem__(self, name: str) -> Floats:
        return self.values[name]

    def get(self, name: str, otherwise: float) -> Floats:
        """The parameter, or the same number for all draws where it was not known."""
        found = self.values.get(name)
        return np.full(len(self), otherwise) if found is None else found

    def first(self, count: int) -> Draws:
        """The first `count` draws."""
        return Draws({name: one[:count] for name, one in self.values.items()}, self.shocks[:, :count], self.seed)

    def fixed(self, name: str, value: float) -> Draws:
        """The same draws with one parameter held."""
        return Draws({**self.values, name: np.full(len(self), value)}, self.shocks, self.seed)


def from_prior(priors: tuple[Prior, ...], *, count: int, quarters: int, seed: int) -> Draws:
    """Draws that have seen no record."""
    source = np.random.default_rng(seed)
    values = {prior.name: prior.of_normal(source.standard_normal(count)) for prior in priors}
    return Draws(values, source.standard_normal((quarters, count)), seed)
