-- The target of the demo county: the mass appraisal system's tables in small.
-- One PACS table feeds one CAMA table for now, so a parcel's rows are tied together by PACS's property number.
CREATE SCHEMA cama;

CREATE TABLE cama.parcel (
  prop_id int PRIMARY KEY,
  parcel_pin varchar(20) NOT NULL UNIQUE,
  county_fips char(5) NOT NULL,
  class_code varchar(20) NOT NULL,
  created_on date
);

CREATE TABLE cama.valuation (
  prop_id int NOT NULL,
  tax_year smallint NOT NULL,
  supplement int NOT NULL,
  legal_description text,
  acres numeric(14,4),
  neighborhood_code varchar(10),
  land_use_code char(2),
  land_value numeric(14) NOT NULL,
  improvement_value numeric(14) NOT NULL,
  market_value numeric(14) NOT NULL,
  capped_value numeric(14) NOT NULL,
  status varchar(10) NOT NULL,
  certified_at timestamptz,
  PRIMARY KEY (prop_id, tax_year, supplement)
);

CREATE TABLE cama.situs (
  prop_id int NOT NULL,
  situs_no int NOT NULL,
  situs_address varchar(100),
  situs_city varchar(30),
  situs_zip varchar(10),
  PRIMARY KEY (prop_id, situs_no)
);

CREATE TABLE cama.taxpayer (
  account_no int PRIMARY KEY,
  name varchar(70) NOT NULL,
  kind varchar(20) NOT NULL,
  phone varchar(20),
  email_fingerprint char(64)
);

CREATE TABLE cama.parcel_owner (
  prop_id int NOT NULL,
  tax_year smallint NOT NULL,
  supplement int NOT NULL,
  account_no int NOT NULL,
  percent numeric(13,10) NOT NULL,
  PRIMARY KEY (prop_id, tax_year, supplement, account_no)
);

CREATE TABLE cama.land_line (
  prop_id int NOT NULL,
  tax_year smallint NOT NULL,
  supplement int NOT NULL,
  sale_no int NOT NULL,
  line_no int NOT NULL,
  land_type varchar(20),
  acres numeric(14,4),
  sqft numeric(14),
  market_value numeric(14) NOT NULL,
  PRIMARY KEY (prop_id, tax_year, supplement, sale_no, line_no)
);

CREATE TABLE cama.building_line (
  prop_id int NOT NULL,
  tax_year smallint NOT NULL,
  supplement int NOT NULL,
  sale_no int NOT NULL,
  card_no int NOT NULL,
  line_no int NOT NULL,
  kind varchar(20) NOT NULL,
  quality_grade varchar(10),
  condition varchar(20),
  year_built smallint,
  area_sf numeric(14),
  market_value numeric(14) NOT NULL,
  PRIMARY KEY (prop_id, tax_year, supplement, sale_no, card_no, line_no)
);

CREATE TABLE cama.sale_record (
  sale_no int PRIMARY KEY,
  prop_id int NOT NULL,
  sale_date date,
  price numeric(14) NOT NULL,
  validity_code varchar(20) NOT NULL,
  recorded_on date,
  excise_number varchar(20)
);
