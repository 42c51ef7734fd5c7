-- The source of the demo county: the appraisal system's tables in small, keys as in the real system.
CREATE SCHEMA pacs;

CREATE TABLE pacs.property (
  prop_id int PRIMARY KEY,
  geo_id varchar(20),
  prop_type_cd char(5) NOT NULL,
  prop_create_dt date
);

CREATE TABLE pacs.prop_supp_assoc (
  prop_id int NOT NULL,
  owner_tax_yr smallint NOT NULL,
  sup_num int NOT NULL,
  PRIMARY KEY (prop_id, owner_tax_yr)
);

CREATE TABLE pacs.property_val (
  prop_id int NOT NULL,
  prop_val_yr smallint NOT NULL,
  sup_num int NOT NULL,
  legal_desc text,
  legal_acreage numeric(14,4),
  hood_cd varchar(10),
  property_use_cd char(2),
  land_hstd_val numeric(14) NOT NULL,
  land_non_hstd_val numeric(14) NOT NULL,
  imprv_hstd_val numeric(14) NOT NULL,
  imprv_non_hstd_val numeric(14) NOT NULL,
  appraised_val numeric(14) NOT NULL,
  cap_loss numeric(14) NOT NULL,
  assessed_val numeric(14) NOT NULL,
  prop_inactive_dt date,
  updated_at timestamptz NOT NULL DEFAULT now(),
  PRIMARY KEY (prop_id, prop_val_yr, sup_num)
);

CREATE TABLE pacs.account (
  acct_id int PRIMARY KEY,
  file_as_name varchar(70) NOT NULL,
  first_name varchar(30),
  last_name varchar(30),
  entity_flag char(1) NOT NULL,
  confidential_flag char(1) NOT NULL,
  email varchar(80),
  phone varchar(20)
);

CREATE TABLE pacs.address (
  acct_id int NOT NULL,
  addr_type_cd char(5) NOT NULL,
  addr_line1 varchar(60),
  addr_line2 varchar(60),
  addr_city varchar(50),
  addr_state char(2),
  addr_zip varchar(10),
  primary_addr char(1) NOT NULL,
  PRIMARY KEY (acct_id, addr_type_cd)
);

CREATE TABLE pacs.owner (
  prop_id int NOT NULL,
  owner_tax_yr smallint NOT NULL,
  sup_num int NOT NULL,
  owner_id int NOT NULL,
  pct_ownership numeric(13,10) NOT NULL,
  PRIMARY KEY (prop_id, owner_tax_yr, sup_num, owner_id)
);

CREATE TABLE pacs.situs (
  prop_id int NOT NULL,
  situs_id int NOT NULL,
  primary_situs char(1) NOT NULL,
  situs_num varchar(10),
  situs_street_prefx varchar(10),
  situs_street varchar(50),
  situs_street_sufx varchar(10),
  situs_unit varchar(10),
  situs_city varchar(30),
  situs_zip varchar(10),
  PRIMARY KEY (prop_id, situs_id)
);

CREATE TABLE pacs.land_detail (
  prop_id int NOT NULL,
  prop_val_yr smallint NOT NULL,
  sup_num int NOT NULL,
  sale_id int NOT NULL DEFAULT 0,
  land_seg_id int NOT NULL,
  land_type_cd char(10),
  size_acres numeric(14,4),
  size_square_feet numeric(14),
  mkt_val numeric(14) NOT NULL,
  PRIMARY KEY (prop_id, prop_val_yr, sup_num, sale_id, land_seg_id)
);

CREATE TABLE pacs.imprv (
  prop_id int NOT NULL,
  prop_val_yr smallint NOT NULL,
  sup_num int NOT NULL,
  sale_id int NOT NULL DEFAULT 0,
  imprv_id int NOT NULL,
  imprv_type_cd char(10),
  imprv_val numeric(14) NOT NULL,
  PRIMARY KEY (prop_id, prop_val_yr, sup_num, sale_id, imprv_id)
);

CREATE TABLE pacs.imprv_detail (
  prop_id int NOT NULL,
  prop_val_yr smallint NOT NULL,
  sup_num int NOT NULL,
  sale_id int NOT NULL DEFAULT 0,
  imprv_id int NOT NULL,
  imprv_det_id int NOT NULL,
  imprv_det_type_cd char(10) NOT NULL,
  imprv_det_class_cd char(10),
  condition_cd char(5),
  yr_built smallint,
  imprv_det_area numeric(14),
  imprv_det_val numeric(14) NOT NULL,
  PRIMARY KEY (prop_id, prop_val_yr, sup_num, sale_id, imprv_id, imprv_det_id)
);

CREATE TABLE pacs.sale (
  chg_of_owner_id int PRIMARY KEY,
  prop_id int NOT NULL,
  sl_price numeric(14) NOT NULL,
  sl_dt date,
  sl_ratio_type_cd char(5),
  deed_dt date,
  excise_nr varchar(20)
);
