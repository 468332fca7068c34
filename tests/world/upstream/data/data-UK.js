// Data sets for car sales in the United Kingdom

"use strict";

db.insert(db.countries.UK, "2025-Q4", db.dsTypes.AllCarsTotal, "https://smmt.example/q4",
{ "other": 3000
});

db.insert(db.countries.UK, "2025-Q4", db.dsTypes.ElectricCarsByBrand, "https://smmt.example/q4-bev",
{ "MG": 300
, "Lynk & Co": 100
, "other": 200
});

db.insert(db.countries.UK, "2026-01", db.dsTypes.AllCarsTotal, "https://smmt.example/01",
{ "other": 1000
});

db.insert(db.countries.UK, "2026-01", db.dsTypes.ElectricCarsTotal, "https://smmt.example/01-bev",
{ "other": 200
});
