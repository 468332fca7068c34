// Data sets for car sales in Norway

"use strict";

db.insert(db.countries.NO, "2026-01", db.dsTypes.AllCarsByBrand, "https://ofv.example/01",
{ "other": 400
});

db.insert(db.countries.NO, "2026-01", db.dsTypes.ElectricCarsByModel, "https://ofv.example/01-bev (includes commercial vehicles)",
{ "Tesla|Model Y": 300
, "Jeep/Dodge|Bolt/Bolt EUV": 50
});

// db.insert(db.countries.xx, "xx", db.dsTypes.ElectricCarsByModel, "xx",
// { "Tesla":
// , "Toyota":
// , "other":
// });
