/** The version of this package. The addon has the same, or it is refused; a test holds all places against each other. */
export const VERSION = "0.1.0";
