// The generator's own theme, with room for lines of 100 characters and for tables.
import DefaultTheme from "vitepress/theme";
import "./wide.css";

export default DefaultTheme;
