"""The projection: 2,000 draws at once, against the same equations in plain loops over draws and regions."""

from __future__ import annotations

import math
from datetime import date
from statistics import median
from time import perf_counter

import numpy as np

from bench.report import Row
from dashboard.projections import model, scenarios
from dashboard.projections.levers import CHIP_MONTHS, DEMAND_SHIFT, LEVELS, Level, Route
from dashboard.projections.model import NEVER, QUARTERS, Setting
from dashboard.projections.parameters import Draws, from_prior, known
from dashboard.projections.record import START, Deliveries, PriceStep, Record, Stock
from dashboard.projections.regions import REGIONS

DRAWS, PLAIN = 2000, 20
REPEATS = 7


def measure() -> list[Row]:
    """One run of both: seconds for 2,000 draws, against the time for a redraw and against plain loops."""
    setting = scenarios.world(a_record())
    draws = from_prior(known(setting.record.as_of), count=DRAWS, quarters=QUARTERS - 1, seed=1)
    times = []
    for _ in range(REPEATS):
        began = perf_counter()
        model.simulate(setting, draws)
        times.append(perf_counter() - began)
    began = perf_counter()
    for draw in range(PLAIN):
        plain(setting, draws, draw)
    loops = (perf_counter() - began) * DRAWS / PLAIN
    return [
        Row(f"projection of {DRAWS} draws to 2035, against 250 ms", 1000 * median(times), 250.0, "ms", 1.0),
        Row("the same against plain loops", median(times), loops, "s", 0.1),
    ]


def a_record() -> Record:
    """A made-up record of the real one's size: 100,000 cars a quarter in every region."""
    first, quarters = 2015 * 4, 46
    shape = (len(REGIONS), quarters)
    day = date(2021, 1, 1)
    return Record(
        as_of=date(2026, 10, 1),
        deliveries=Deliveries(first, np.full(shape, 1e5), np.zeros(shape, bool), np.zeros(quarters, bool)),
        prices=(
            PriceStep("US", "one_off", day, 8000.0, "USD", day),
            PriceStep("US", "month", date(2021, 7, 16), 99.0, "USD", day),
            PriceStep("EU", "month", date(2026, 4, 11), 99.0, "EUR", day),
        ),
        stocks=(Stock(("US", "CA"), START, 200_000.0, day), Stock(("EU",), START, 50_000.0, day)),
        first_rate=START,
        usd_per={name: np.ones(1) for name in ("USD", "CAD", "EUR", "CNY", "KRW", "AUD", "JPY")},
        vat=np.zeros((len(REGIONS), 1)),
    )


def plain(setting: Setting, draws: Draws, draw: int) -> dict[str, list[list[float]]]:
    """One draw by loops over quarters and regions, with numbers only: the stocks and revenues, by quarter and region.

    It follows the equations and not the code of `dashboard.projections.model`, so that each checks the other.
    """
    got = {name: float(values[draw]) for name, values in draws.values.items()}
    levers, cohorts = setting.levers, setting.cohorts
    regions = range(len(REGIONS))
    scale = got["lifetime"] / math.gamma(1 + 1 / got["wear"])
    alive = [math.exp(-((0.25 * age / scale) ** got["wear"])) for age in range(cohorts.weights.shape[3])]
    growth = 1 + got["growth"] + DEMAND_SHIFT[levers.demand]
    known_quarters = QUARTERS - cohorts.projected
    rise = {Level.PARTIAL: "gain_partial", Level.EYES_OFF: "gain_eyes_off", Level.UNSUPERVISED: "gain_unsupervised"}
    gain = [got[rise[level]] if level in rise else 0.0 for level in LEVELS]

    local = (
        model.moment(levers.route_start) + (got["local_build"] + CHIP_MONTHS[levers.chip_supply] * got["chip_wait"]) / 3
    )
    if levers.data_ready is not None:
        local = model.moment(levers.data_ready)
    if not levers.partner:
        local = NEVER
    export = NEVER
    if got["export_granted"] < levers.export_chance:
        export = model.moment(levers.route_start) + got["export_assessment"] / 3
    trained = {Route.NONE: NEVER, Route.LOCAL: local, Route.EXPORT: export, Route.BOTH: min(local, export)}
    trained_from = trained[levers.data_route]

    def fleets(t: int, r: int) -> tuple[float, float, float, float]:
        sums = [sum(w * s for w, s in zip(cohorts.weights[kind, t, r], alive, strict=True)) for kind in range(3)]
        new = float(cohorts.delivered[t, r])
        for later in range(known_quarters, t + 1):
            cars = float(cohorts.yearly[r]) * growth ** (0.25 * (later - known_quarters + 1))
            sums = [one + cars * alive[t - later] for one in sums]
            new = cars if later == t else new
        return sums[0], sums[1], min(sums[2] / max(sums[1], 1e-9), 1.0), new

    def available(t: int, r: int) -> float:
        share = 0.0
        for region, since, part in setting.approved:
            if region == r:
                share += part * min(max((START + t - since + 1) / got["ramp"], 0.0), 1.0)
        for region, since, part, late in setting.pending:
            if region == r:
                day = max(since + got["late"] / 3, model.moment(setting.record.as_of)) if late else since
                share += part * min(max((START + t - day + 1) / got["ramp"], 0.0), 1.0)
        return min(share, 1.0)

    def normal(z: float) -> float:
        return 0.5 * math.erfc(-z / math.sqrt(2))

    def caps(t: int, r: int, there: float) -> tuple[float, float]:
        if there == 0:
            return 0.0, 0.0
        shift = {"US": 0.0, "CA": 0.0, "EU": got["worth_eu"], "CN": got["worth_cn"]}.get(REGIONS[r], got["worth_rest"])
        level = int(setting.level[t, r])
        worth = math.log(got["worth_us"]) + shift + gain[level] - got["rivals"] * float(setting.free[t, r])
        if REGIONS[r] == "CN" and START + t < trained_from:
            worth += min(gain[0] - gain[level], 0.0) + math.log(got["untrained"])
        month = float(setting.ln_month[t, r]) + math.log(got["months_counted"])
        cheaper = min(float(setting.ln_one_off[t, r]), month)
        return (
            there * normal((worth - cheaper) / got["worth_spread"]),
            there * normal((worth - month) / got["worth_spread"]),
        )

    stocks = {
        name: [[0.0] * len(REGIONS) for _ in range(QUARTERS)]
        for name in ("owners", "subscribers", "new_buyers", "cash", "booked", "released", "deferred", "subscription")
    }
    before = [fleets(0, r) for r in regions]
    owners, free, bound = [0.0] * len(REGIONS), [0.0] * len(REGIONS), [0.0] * len(REGIONS)
    for stock in setting.record.stocks:
        places = [REGIONS.index(region) for region in stock.regions]
        whole = sum(before[r][1] for r in places)
        for r in places:
            owners[r] = min(stock.cars * got["survey_error"] * before[r][1] / whole, before[r][1])
    all_owners = sum(owners)
    deferred = [got["deferred_start"] * (owners[r] / all_owners if all_owners else 1 / len(REGIONS)) for r in regions]
    stocks["owners"][0], stocks["deferred"][0] = list(owners), list(deferred)
    noise = 0.0
    for t in range(1, QUARTERS):
        fresh = float(draws.shocks[t - 1, draw])
        noise = fresh if t == 1 else model.MEMORY * noise + math.sqrt(1 - model.MEMORY**2) * fresh
        lift = math.exp(noise * got["noise"])
        lost = min((1 - (1 - got["churn"]) ** 3) / lift, 1.0)
        now = [fleets(t, r) for r in regions]
        for r in regions:
            _, eligible, runs, new = now[r]
            there = available(t, r)
            would, keep = caps(t, r, there)
            trial = 0.0
            for one in setting.record.trials:
                if one.quarter == START + t and REGIONS[r] in one.regions:
                    whole = sum(now[REGIONS.index(region)][1] for region in one.regions)
                    trial += got["converted"] * one.cars * eligible / whole
            survived = min(max((eligible - new) / max(before[r][1], 1e-9), 0.0), 1.0)
            was = free[r] + bound[r]
            if not levers.transfer:
                owners[r] *= survived
            free[r] *= survived * (1 - lost)
            bound[r] *= survived * (1 - lost)
            pool = would * eligible
            active = there * (owners[r] + free[r] + bound[r]) / pool if pool > 0 else 0.0
            left = max(pool - there * (owners[r] + free[r]), 0.0)
            only, both = float(setting.only_one_off[t, r]), float(setting.both[t, r])
            offered = only + both + float(setting.only_month[t, r])
            in_fleet = (got["initiative"] + got["imitation"] * min(active, 1.0)) * runs * left * lift * offered
            with_car = min(new * would * got["at_purchase"] * lift, new) * offered
            trial *= offered * there
            early = max(got["ahead"] * new * (only + both) - with_car, 0.0)
            forced = min(with_car * got.get("forced", 0.0) * float(setting.without_basic[t, r]), new - with_car - early)
            wanted = with_car + in_fleet + early + forced + trial
            room = max(eligible - owners[r] - free[r] - bound[r], 0.0)
            fits = min(room / wanted, 1.0) if wanted > 0 else 1.0
            share = got["outright_dear"] if setting.dear[t, r] else got.get("outright_cheap", 0.5)
            good = (only + both * share) / offered if offered > 0 else 0.0
            bought = fits * (good * (with_car + in_fleet + forced) + early)
            owners[r] += bought
            bound[r] += fits * (1 - good) * forced
            free[r] += fits * ((1 - good) * (with_car + in_fleet) + trial)
            free[r] = min(free[r], max(keep * eligible - there * owners[r], 0.0))
            cash = bought * float(setting.one_off[t, r])
            released = deferred[r] * min(
                min(0.25 / got["deferred_life"], 1.0) + got["freed"] * float(setting.raised[t, r]), 1.0
            )
            deferred[r] += (1 - got["booked"]) * cash - released
            found = {
                "owners": owners[r],
                "subscribers": free[r] + bound[r],
                "new_buyers": fits * (with_car + early + forced),
                "cash": cash,
                "booked": got["booked"] * cash,
                "released": released,
                "deferred": deferred[r],
                "subscription": 1.5 * (was + free[r] + bound[r]) * float(setting.month[t, r]),
            }
            for name, value in found.items():
                stocks[name][t][r] = value
        before = now
    return stocks
