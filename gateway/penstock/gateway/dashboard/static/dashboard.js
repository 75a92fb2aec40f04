// What every page does: stay live, show local times, take keys, copy.
import "./live.js";
import "./times.js";
import "./keys.js";
import "./copy_button.js";
import "./theme_switch.js";
import "./step_rows.js";
import "./run_stream.js";
