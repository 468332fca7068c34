"""The equations: who would pay, who takes it up, who cancels, what it brings; quarter by quarter for N draws at once.

Inside, arrays are (Q quarters, R regions, N draws), since each quarter is computed for all regions and draws in one
go; `Paths` shows them as (N, R, Q).

Where this departs from a textbook reading:

* Everything is counted on the eligible fleet (cars for which the package is sold); that the release runs only on newer
  computers slows adoption in the fleet by the share on which it runs. Else owners of older cars who bought ahead would
  make more buyers than eligible cars.
* Owners who bought ahead of an approval are spread over all of a region; only as many of them count against the
  willing as the approval covers. Else a small first country would find its market taken by another's owners.
* The noise of a quarter raises additions and lowers cancellations. With the same sign on both it would cancel itself.
* Deferred revenue starts from the whole reported kind (connectivity and updates are in it), but only the package's
  sales are added: the reported balance, which grows by the others too, is an upper bound of it later on.
* Sales ahead of approval are a floor under sales with new cars (share `ahead`) while the package is sold outright.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr, ndtri

from dashboard.projections import fleet
from dashboard.projections.levers import CHIP_MONTHS, DEMAND_SHIFT, LEVELS, Level, Levers, Route, Step, When
from dashboard.projections.parameters import Draws
from dashboard.projections.record import START, Record, quarter_of, quarter_start
from dashboard.projections.regions import CURRENCY, PRICED_IN, REGIONS

Floats = NDArray[np.float64]

LAST: Final = 2035 * 4 + 3
"""The last quarter of the projection, 2035-Q4."""

QUARTERS: Final = LAST - START + 1

NEVER: Final = 1e6
"""A quarter that does not come."""

CHEAP_MONTH: Final = 150.0
"""US dollars a month below which a subscription counts as cheap: between the 199 and the 99 that there were."""

MEMORY: Final = 0.5
"""How much of a quarter's noise carries over to the next one."""

_CN: Final = REGIONS.index("CN")


@dataclass(frozen=True)
class Approval:
    """From `since` on the package may be used in `share` of a region's cars; `known_from` as everywhere."""

    region: str
    since: date
    share: float
    known_from: date


@dataclass(frozen=True, kw_only=True)
class Setting:
    """A record and levers, laid out by quarter and region (Q, R) for the equations; the same for all draws.

    Prices are in US dollars: `ln_one_off` and `ln_month` as the buyer pays them (infinite where not offered),
    `one_off` and `month` without tax (0 where not offered). `only_one_off`, `both`, `only_month`: shares of the quarter
    in which so much is offered. `dear`: whether the subscription costs at least `CHEAP_MONTH`. `without_basic`: share
    of the quarter without basic assistance as standard. `free`: share of rivals' new cars with the same for free.
    `level`: index into LEVELS; `raised`: whether it rises in the quarter. `trial`: cars on a free trial, of all
    eligible ones of `trial_regions`. `approved`: (region, quarter, share) of what is approved on a known day.
    """

    record: Record
    levers: Levers
    cohorts: fleet.Cohorts
    ln_one_off: Floats
    ln_month: Floats
    one_off: Floats
    month: Floats
    only_one_off: Floats
    both: Floats
    only_month: Floats
    dear: NDArray[np.bool_]
    without_basic: Floats
    free: Floats
    level: NDArray[np.int64]
    raised: NDArray[np.bool_]
    approved: tuple[tuple[int, float, float], ...]
    pending: tuple[tuple[int, float, float, bool], ...]
    """(region, quarter, share, late) of what is still to be approved; late: plus the drawn delay."""


def moment(day: date) -> float:
    """A day as quarters with a fraction."""
    quarter = quarter_of(day)
    first, after = quarter_start(quarter), quarter_start(quarter + 1)
    return quarter + (day - first).days / (after - first).days


def set_up(record: Record, levers: Levers, *, approvals: tuple[Approval, ...]) -> Setting:
    """The world of a record and levers; `approvals` are those that have happened."""
    edges = np.array([(quarter_start(quarter) - quarter_start(START)).days for quarter in range(START, LAST + 2)])
    quarters = np.arange(START, LAST + 1)
    rate = np.clip(quarters - record.first_rate, 0, len(record.usd_per["USD"]) - 1)
    shape = (QUARTERS, len(REGIONS))
    one_off, month = np.full(shape, np.inf), np.full(shape, np.inf)
    offers = np.zeros((3, *shape))
    net = np.zeros((2, *shape))
    free, level = np.zeros(shape), np.zeros(shape, dtype=np.int64)
    without_basic = np.zeros(shape)
    for index, region in enumerate(REGIONS):
        width = np.diff(edges)
        tax = 1.0 + record.vat[index][np.clip(rate, 0, record.vat.shape[1] - 1)]
        prices = _daily_prices(
            record,
            levers,
            region,
            dollars=np.repeat(record.usd_per[CURRENCY[region]][rate], width),
            tax=np.repeat(tax, width),
        )
        there = np.isfinite(prices)
        for row, kind in enumerate(((there[0] & ~there[1]), (there[0] & there[1]), (~there[0] & there[1]))):
            offers[row, :, index] = np.add.reduceat(kind, edges[:-1]) / width
        for row, made in enumerate((one_off, month)):
            offered = np.add.reduceat(there[row], edges[:-1])
            total = np.add.reduceat(np.where(there[row], prices[row], 0.0), edges[:-1])
            made[:, index] = np.divide(total, offered, out=np.full(QUARTERS, np.inf), where=offered > 0)
            net[row, :, index] = np.where(offered > 0, made[:, index] / tax, 0.0)
        free[:, index] = _stepped(levers.of("free_adas", region) or (), quarters, start=0.0)
        if region == "CN" and levers.licence:
            free[:, index] += np.where(quarters >= quarter_of(levers.licence_start), levers.licence_lift, 0.0)
        level[:, index] = LEVELS.index(Level.CITY)
        for step in levers.of("level", region) or ():
            level[quarters >= quarter_of(step.since), index] = LEVELS.index(step.level)
        until = levers.of("basic_free", region)
        if until is not None:
            without_basic[:, index] = np.clip(quarters + 1 - moment(until), 0.0, 1.0)
    approved, pending = _approvals(record, levers, approvals)
    return Setting(
        record=record,
        levers=levers,
        cohorts=fleet.cohorts(record.deliveries, first=START, last=LAST),
        ln_one_off=np.log(one_off),
        ln_month=np.log(month),
        one_off=net[0],
        month=net[1],
        only_one_off=offers[0],
        both=offers[1],
        only_month=offers[2],
        dear=month >= CHEAP_MONTH,
        without_basic=without_basic,
        free=np.minimum(free, 1.0),
        level=level,
        raised=np.diff(level, axis=0, prepend=level[:1]) > 0,
        approved=approved,
        pending=pending,
    )


def _daily_prices(record: Record, levers: Levers, region: str, *, dollars: Floats, tax: Floats) -> Floats:
    """Outright and monthly price in US dollars with tax (2, days), from the simulation's start; infinite = not offered.

    `dollars` per unit of the region's money and `tax` as a factor, day by day. A region's first outright price stands
    for the time before it was read; where none is known the US price plus the region's tax stands in, and for the
    subscription too where nothing at all is known.
    """
    start = quarter_start(START)
    quoted = {step.billing for step in record.prices if step.region == region and region in PRICED_IN}
    prices = np.full((2, len(dollars)), np.inf)
    for row, billing in enumerate(("one_off", "month")):
        # Outright it was sold everywhere; where only that is quoted, there is no subscription.
        borrowed = billing not in quoted and (billing == "one_off" or not quoted)
        source = "US" if borrowed else region
        found = [step for step in record.prices if step.billing == billing and step.region == source]
        if billing == "one_off" and found and found[0].amount is not None:
            prices[row] = found[0].amount
        for step in found:
            prices[row, max((step.effective_from - start).days, 0) :] = np.inf if step.amount is None else step.amount
        prices[row] *= tax if borrowed else dollars
    for row, lever in enumerate(("one_off", "price")):
        for change in levers.of(lever, region) or ():
            since = max((change.since - start).days, 0)
            prices[row, since:] = (
                prices[row, since:] * (1.0 + change.value) if change.relative else change.value * dollars[since:]
            )
    ends = levers.of("sub_only", region)
    if ends is not None:
        prices[0, max((ends - start).days, 0) :] = np.inf
    return prices


def _stepped(steps: tuple[Step, ...], quarters: NDArray[np.int64], *, start: float) -> Floats:
    made = np.full(len(quarters), start)
    for step in steps:
        made[quarters >= quarter_of(step.since)] = step.value
    return made


def _approvals(
    record: Record, levers: Levers, approvals: tuple[Approval, ...]
) -> tuple[tuple[tuple[int, float, float], ...], tuple[tuple[int, float, float, bool], ...]]:
    """What is approved and what is pending. A pending approval that is merely announced is not before the record's day.

    A day that the levers fix brings forward whatever would have been approved later.
    """
    approved, pending = [], []
    for index, region in enumerate(REGIONS):
        when: When | None = levers.of("approval", region)
        fixed = moment(when.day) if when and when.day and not when.late else NEVER
        rest = 1.0
        for approval in approvals:
            if approval.region == region and approval.known_from <= record.as_of:
                share = min(approval.share, rest)
                approved.append((index, min(moment(approval.since), fixed), share))
                rest -= share
        if rest > 1e-9 and when and when.day:
            pending.append((index, moment(when.day), rest, when.late))
    return tuple(approved), tuple(pending)


def trained_from(levers: Levers, draws: Draws) -> Floats:
    """The quarter (N), with a fraction, from which a release is trained on Chinese roads; NEVER where it is not.

    Local: from `route_start` the time to build plus the wait for chips, or the day where it is known; export: the time
    of the assessment, where it is granted; both: whichever is first. Without a partner there is no local route.
    """
    start = moment(levers.route_start)
    wait = CHIP_MONTHS[levers.chip_supply] * draws["chip_wait"]
    never = np.full(len(draws), NEVER)
    local = start + (draws["local_build"] + wait) / 3.0
    if levers.data_ready is not None:
        local = np.full(len(draws), moment(levers.data_ready))
    if not levers.partner:
        local = never
    granted = draws["export_granted"] < levers.export_chance
    export = np.where(granted, start + draws["export_assessment"] / 3.0, NEVER)
    return {
        Route.NONE: never,
        Route.LOCAL: local,
        Route.EXPORT: export,
        Route.BOTH: np.minimum(local, export),
    }[levers.data_route]


def availability(setting: Setting, draws: Draws, *, until: int = QUARTERS) -> Floats:
    """Share of each region's cars in which the package may be used (Q, R, N): approvals phased in over `ramp`."""
    quarters = np.arange(START, START + until)[:, None]
    made = np.zeros((until, len(REGIONS), len(draws)))
    ramp = draws["ramp"]
    today = moment(setting.record.as_of)
    for region, since, share in setting.approved:
        if since + 8 < START:
            made[:, region] += share
        else:
            made[:, region] += share * np.clip((quarters - since + 1.0) / ramp, 0.0, 1.0)
    for region, since, share, late in setting.pending:
        day = np.maximum(since + draws["late"] / 3.0, today) if late else np.full(len(draws), since)
        if day.min() < START + until + 1:
            made[:, region] += share * np.clip((quarters - day + 1.0) / ramp, 0.0, 1.0)
    return np.minimum(made, 1.0)


@dataclass(frozen=True)
class Willing:
    """Shares of the eligible owners (Q, R, N): `would` pay the cheaper of the prices, `keep` paying by the month."""

    would: Floats
    keep: Floats


def willing(setting: Setting, draws: Draws, available: Floats) -> Willing:
    """Who would pay: what owners would pay is lognormal around a median that moves with level, training and rivals.

    A higher price never raises a share. `available` (Q, R, N) is that of `availability`.
    """
    count = len(draws)
    at, place = np.nonzero(available.any(axis=2))
    alike = np.zeros(count)
    here = {"US": alike, "CA": alike, "EU": draws["worth_eu"], "CN": draws["worth_cn"]}
    median = np.log(draws["worth_us"]) + np.stack([here.get(region, draws["worth_rest"]) for region in REGIONS])
    gains = np.stack(
        [draws["gain_partial"], np.zeros(count), draws["gain_eyes_off"], draws["gain_unsupervised"]]
    )  # in the order of LEVELS
    level = setting.level[at, place]
    worth = median[place] + gains[level] - draws["rivals"] * setting.free[at, place, None]
    # Before it is trained a release in China is of the lower kind, and of a lower quality at that.
    in_china = np.flatnonzero(place == _CN)
    loss = np.minimum(gains[LEVELS.index(Level.PARTIAL)] - gains[level[in_china]], 0.0) + np.log(draws["untrained"])
    raw = (START + at[in_china])[:, None] < trained_from(setting.levers, draws)
    worth[in_china] += np.where(raw, loss, 0.0)
    by_month = setting.ln_month[at, place, None] + np.log(draws["months_counted"])
    spread = draws["worth_spread"]
    cheaper = np.minimum(setting.ln_one_off[at, place, None], by_month)
    would = np.zeros_like(available)
    would[at, place] = available[at, place] * ndtr((worth - cheaper) / spread)
    keep = would.copy()
    dearer = np.flatnonzero(np.isfinite(setting.ln_one_off[at, place]))  # elsewhere both prices are the same
    both = at[dearer], place[dearer]
    keep[both] = available[both] * ndtr((worth[dearer] - by_month[dearer]) / spread)
    return Willing(would=would, keep=keep)


def elasticity(setting: Setting, draws: Draws) -> Floats:
    """Percent fewer willing for one percent more price (N, R, Q): an outcome of the equations, not set anywhere.

    -phi(z) / (spread * (1 - Phi(z))); not a number where nothing is offered or approved.
    """
    available = availability(setting, draws)
    share = _ratio(willing(setting, draws, available).would, available)
    density = np.exp(-0.5 * ndtri(share) ** 2) / np.sqrt(2 * np.pi)
    return _shown(-_ratio(density, draws["worth_spread"] * share))


def noise(draws: Draws, *, quarters: int) -> Floats:
    """The noise of each quarter (Q, N), in logs: it starts from its stationary spread and forgets half a quarter."""
    made = np.zeros((quarters, len(draws)))
    spread = draws["noise"]
    for row in range(1, quarters):
        fresh = draws.shocks[row - 1]
        made[row] = fresh if row == 1 else MEMORY * made[row - 1] + np.sqrt(1 - MEMORY**2) * fresh
    return made * spread


@dataclass(frozen=True, kw_only=True)
class Paths:
    """What comes of it, for N draws, R regions in the order of REGIONS and Q quarters from 2021-Q2, all (N, R, Q).

    Stocks at the quarter's end, in cars: `owners` (bought for good), `subscribers`, `fleet` in use, `eligible` of them,
    `delivered` cumulated since the record begins. Flows of the quarter, in cars: `new_buyers` with a new car,
    `new_cars`. In US dollars without tax: `cash` from outright sales, `booked` and `released` of them (recognised at
    the sale, and later), `deferred` (a stock), `subscription` revenue, `month` (price a month, (R, Q)), `licence`
    revenue (N, Q). `willing`: share of the eligible who would pay.
    """

    owners: Floats
    subscribers: Floats
    fleet: Floats
    eligible: Floats
    delivered: Floats
    new_buyers: Floats
    new_cars: Floats
    willing: Floats
    cash: Floats
    booked: Floats
    released: Floats
    deferred: Floats
    subscription: Floats
    licence: Floats
    month: Floats

    @property
    def quarters(self) -> NDArray[np.int64]:
        """The quarters (Q), counted as `record.quarter_of` does."""
        return np.arange(START, START + self.owners.shape[2])

    def at(self, quarter: int) -> int:
        """The place of a quarter in Q."""
        return quarter - START

    def active(self, regions: tuple[str, ...] = REGIONS) -> Floats:
        """Buyers and subscribers together (N, Q), summed over regions."""
        return self.total("owners", regions) + self.total("subscribers", regions)

    def total(self, name: str, regions: tuple[str, ...] = REGIONS) -> Floats:
        """A quantity summed over regions (N, Q)."""
        made: Floats = getattr(self, name)[:, [REGIONS.index(region) for region in regions]].sum(axis=1)
        return made

    def attach_fleet(self, regions: tuple[str, ...] = REGIONS) -> Floats:
        """Active over all cars in use (N, Q)."""
        return _ratio(self.active(regions), self.total("fleet", regions))

    def attach_eligible(self, regions: tuple[str, ...] = REGIONS) -> Floats:
        """Active over the cars in use for which the package is sold (N, Q)."""
        return _ratio(self.active(regions), self.total("eligible", regions))

    def attach_delivered(self, regions: tuple[str, ...] = REGIONS) -> Floats:
        """Active over all cars ever delivered, scrapped or not, since the record begins (N, Q)."""
        return _ratio(self.active(regions), self.total("delivered", regions))

    def take_new(self, regions: tuple[str, ...] = REGIONS) -> Floats:
        """Share of the quarter's new cars that came with it (N, Q): a flow, unlike the attach rates."""
        return _ratio(self.total("new_buyers", regions), self.total("new_cars", regions))

    def recognised(self, regions: tuple[str, ...] = REGIONS) -> Floats:
        """Revenue as it enters the accounts (N, Q): booked, released and subscriptions; without licences."""
        return self.total("booked", regions) + self.total("released", regions) + self.total("subscription", regions)

    def received(self, regions: tuple[str, ...] = REGIONS) -> Floats:
        """Money as it comes in (N, Q): outright sales and subscriptions; without licences."""
        return self.total("cash", regions) + self.total("subscription", regions)

    def mrr(self, regions: tuple[str, ...] = REGIONS) -> Floats:
        """Subscribers at the quarter's end times the month's price (N, Q), US dollars a month."""
        places = [REGIONS.index(region) for region in regions]
        return np.asarray((self.subscribers[:, places] * self.month[places]).sum(axis=1), dtype=np.float64)

    def arr(self, regions: tuple[str, ...] = REGIONS) -> Floats:
        """Twelve times `mrr` (N, Q)."""
        return 12.0 * self.mrr(regions)


@dataclass(frozen=True)
class Band:
    """What draws say, quarter by quarter (Q)."""

    p10: Floats
    p50: Floats
    p90: Floats
    mean: Floats


def band(values: Floats) -> Band:
    """The band of (N, Q) or of (N, R, Q) values over their draws."""
    p10, p50, p90 = np.percentile(values, (10, 50, 90), axis=0)
    return Band(p10, p50, p90, values.mean(axis=0))


def _ratio(part: Floats, whole: Floats) -> Floats:
    return np.divide(part, whole, out=np.full_like(part, np.nan), where=whole > 0)


def _shown(values: Floats) -> Floats:
    """(Q, R, N) as (N, R, Q), without copying."""
    return values.transpose(2, 1, 0)


def starting_owners(setting: Setting, draws: Draws, eligible: Floats) -> Floats:
    """Owners by region at the start (R, N): the survey's areas, split over their regions by eligible cars (R, N)."""
    made = np.zeros_like(eligible)
    for stock in setting.record.stocks:
        places = [REGIONS.index(region) for region in stock.regions]
        made[places] = stock.cars * draws["survey_error"] * eligible[places] / eligible[places].sum(axis=0)
    return np.minimum(made, eligible)


def trial_cars(setting: Setting, eligible: Floats) -> Floats:
    """Cars on a free trial (Q, R, N), split over their regions by eligible cars (Q, R, N)."""
    made = np.zeros_like(eligible)
    for trial in setting.record.trials:
        row = trial.quarter - START
        if 0 < row < len(made):
            places = [REGIONS.index(region) for region in trial.regions]
            made[row, places] += trial.cars * eligible[row, places] / eligible[row, places].sum(axis=0)
    return made


def licence_revenue(levers: Levers, draws: Draws, *, quarters: int) -> Floats:
    """US dollars a quarter from other makers (Q, N): cars a year / 4 x share fitted x royalty, while it is on."""
    made = np.zeros((quarters, len(draws)))
    if levers.licence:
        royalty = draws["royalty"] if levers.licence_royalty is None else np.full(len(draws), levers.licence_royalty)
        cars = 0.25 * levers.licence_volume * levers.licence_fit
        made += (np.arange(START, START + quarters) >= quarter_of(levers.licence_start))[:, None] * cars * royalty
    return made


def simulate(setting: Setting, draws: Draws, *, until: int = QUARTERS) -> Paths:
    """The paths of all draws over the first `until` quarters. The same setting and draws give the same numbers."""
    growth = draws["growth"] + DEMAND_SHIFT[setting.levers.demand]
    cars = fleet.drive(setting.cohorts, lifetime=draws["lifetime"], wear=draws["wear"], growth=growth, until=until)
    available = availability(setting, draws, until=until)
    cap = willing(setting, draws, available)
    lift = np.exp(noise(draws, quarters=until))
    lost = np.minimum((1.0 - (1.0 - draws["churn"]) ** 3) / lift, 1.0)
    trials = draws["converted"] * trial_cars(setting, cars.eligible)
    forced_ratio = draws.get("forced", 0.0)
    outright = {True: draws["outright_dear"], False: draws.get("outright_cheap", 0.5)}
    p, q, at_purchase, ahead = draws["initiative"], draws["imitation"], draws["at_purchase"], draws["ahead"]
    booked_share, freed = draws["booked"], draws["freed"]
    quarterly_release = np.minimum(0.25 / draws["deferred_life"], 1.0)

    stored = {
        name: np.zeros((until, len(REGIONS), len(draws)))
        for name in ("owners", "subscribers", "new_buyers", "cash", "booked", "released", "deferred", "subscription")
    }
    owners = starting_owners(setting, draws, cars.eligible[0])
    bound = np.zeros_like(owners)
    """Subscribers for want of basic assistance, whom a price does not drive out."""
    free = np.zeros_like(owners)
    """All other subscribers."""
    share = np.divide(owners, owners.sum(axis=0), out=np.full_like(owners, 1 / len(REGIONS)), where=owners.sum(0) > 0)
    deferred = draws["deferred_start"] * share
    stored["owners"][0], stored["deferred"][0] = owners, deferred
    for t in range(1, until):
        new, eligible, would = cars.new[t], cars.eligible[t], cap.would[t]
        survived = np.clip((eligible - new) / np.maximum(cars.eligible[t - 1], 1e-9), 0.0, 1.0)
        before = free + bound
        if not setting.levers.transfer:
            owners = owners * survived
        stays = survived * (1.0 - lost[t])
        free, bound = free * stays, bound * stays
        pool = would * eligible
        inside = available[t] * (owners + free)
        active = np.divide(available[t] * (owners + free + bound), pool, out=np.zeros_like(pool), where=pool > 0)
        in_fleet = (p + q * np.minimum(active, 1.0)) * cars.runs[t] * np.maximum(pool - inside, 0.0) * lift[t]
        with_car = np.minimum(new * would * at_purchase * lift[t], new)
        dear = setting.dear[t][:, None]
        for_good = setting.only_one_off[t][:, None] + setting.both[t][:, None] * np.where(dear, *outright.values())
        offered = (setting.only_one_off[t] + setting.both[t] + setting.only_month[t])[:, None]
        sold_outright = (setting.only_one_off[t] + setting.both[t])[:, None]
        with_car, in_fleet, trial = with_car * offered, in_fleet * offered, trials[t] * offered * available[t]
        early = np.maximum(ahead * new * sold_outright - with_car, 0.0)
        forced = np.minimum(with_car * forced_ratio * setting.without_basic[t][:, None], new - with_car - early)
        room = np.maximum(eligible - owners - free - bound, 0.0)
        wanted = with_car + in_fleet + early + forced + trial
        fits = np.minimum(np.divide(room, wanted, out=np.ones_like(wanted), where=wanted > 0), 1.0)
        with_car, in_fleet, early, forced, trial = (part * fits for part in (with_car, in_fleet, early, forced, trial))
        good = np.divide(for_good, offered, out=np.zeros_like(for_good), where=offered > 0)
        bought = good * (with_car + in_fleet + forced) + early
        owners = owners + bought
        bound = bound + (1.0 - good) * forced
        free = free + (1.0 - good) * (with_car + in_fleet) + trial
        free = np.minimum(free, np.maximum(cap.keep[t] * eligible - available[t] * owners, 0.0))
        cash = bought * setting.one_off[t][:, None]
        released = deferred * np.minimum(quarterly_release + freed * setting.raised[t][:, None], 1.0)
        deferred = deferred + (1.0 - booked_share) * cash - released
        stored["owners"][t], stored["subscribers"][t] = owners, free + bound
        stored["new_buyers"][t] = with_car + early + forced
        stored["cash"][t], stored["booked"][t], stored["released"][t] = cash, booked_share * cash, released
        stored["deferred"][t] = deferred
        stored["subscription"][t] = 1.5 * (before + free + bound) * setting.month[t][:, None]
    return Paths(
        **{name: _shown(values) for name, values in stored.items()},
        fleet=_shown(cars.cars),
        eligible=_shown(cars.eligible),
        delivered=_shown(cars.delivered),
        new_cars=_shown(cars.new),
        willing=_shown(cap.would),
        licence=licence_revenue(setting.levers, draws, quarters=until).T,
        month=setting.month[:until].T,
    )


def hedge_value(paths: Mapping[str, Paths], *, rate: float, since: int, regions: tuple[str, ...] = REGIONS) -> float:
    """What trying both routes is worth over the better of the two, in US dollars: E[both] - max(E[local], E[export]).

    `paths`: of the scenarios `local`, `export` and `both` on the same draws. Revenue as recognised, from the quarter
    `since` on, discounted by `rate` a year to it. What the routes cost is left out.
    """
    means = {}
    for name in ("local", "export", "both"):
        one = paths[name]
        years = 0.25 * np.maximum(one.quarters - since, 0)
        kept = one.quarters >= since
        means[name] = float((one.recognised(regions) * kept / (1 + rate) ** years).sum(axis=1).mean())
    return means["both"] - max(means["local"], means["export"])
