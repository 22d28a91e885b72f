// Express 4 comes without types; what the tests use of it is as in Express 5.
declare module "express4" {
  import express from "express";
  export default express;
}
