// Data sets for car sales in the world

"use strict";

db.insert(db.countries.global, "2026-01", db.dsTypes.AllCarsTotal, "https://iea.example/world",
{ "other": 9000
});

db.insert(db.countries.global, "2026-01", db.dsTypes.ElectricCarsTotal, "https://iea.example/world-bev",
{ "other": 2000
});
