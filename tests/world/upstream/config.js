// Country-independent data

"use strict";

const countryNamesByCode =
// Regular countries:
{ "DE": "Germany"
, "global": "Global"
};

// Company goups, sorted by all car sales
const companyGroups = {
  "Volkswagen Group":
    [ "Audi"
    , "Škoda"
    , "Volkswagen"
    ],
  "Geely Holding Group":
    [ "Geely"
    , "Volvo"
    ]
};

const companyGroupCountries =
{ "Volkswagen Group": "EU"
, "Geely Holding Group": "CN"
};
