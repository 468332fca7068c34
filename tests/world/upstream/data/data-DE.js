// Data sets for car sales in Germany

"use strict";

db.insert(db.countries.DE, "2026-01", db.dsTypes.AllCarsByBrand, "https://kba.example/all-01",
{ "Volkswagen": 600
, "Tesla": 100
, "Citroën": 100
, "other": 200
});

db.insert(db.countries.DE, "2026-01", db.dsTypes.ElectricCarsByModel, "https://kba.example/bev-01 (Incomplete, but included as 'other'.), https://kba.example/Press Release, June 2nd.pdf",
{ "Volkswagen|ID.3": 100
, "Tesla|Model Y": 50
, "Tesla|other": 10
, "Škoda|Enyaq": 20
, "other": 20
});

db.insert(db.countries.DE, "2026-02", db.dsTypes.AllCarsByBrand, "https://kba.example/all-02",
{ "Volkswagen": 700
, "other": 300
, "Tesla": 200
});

db.insert(db.countries.DE, "2026-02", db.dsTypes.ElectricCarsByModel, "https://kba.example/bev-02",
{ "Volkswagen|ID.4/ID.5": 100
, "Tesla|Model Y":200

, "other": 100
});
