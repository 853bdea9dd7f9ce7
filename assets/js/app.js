/** Everything here makes a working page smoother; every page works without it. */
import "./requests.js";
import "./menus.js";
import "./theme.js";
import "./dialogs.js";
import "./palette.js";
import "./filters.js";
import "./copy.js";
import "./insert.js";
import "./lazy_charts.js";
import "./scan.js";
import "./schedule.js";
import "./hotkeys.js";
