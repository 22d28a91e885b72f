/** The loads of a named store are the same for all its handles in this thread. */
import { Flights } from "./flights.js";

const shared = new Map<string, { readonly flights: Flights; handles: number }>();

/** The loads of a named store; without a name, new ones. */
export function acquireFlights(name: string | undefined): Flights {
  if (name === undefined) {
    return new Flights(undefined);
  }
  const entry = shared.get(name) ?? { flights: new Flights(name), handles: 0 };
  entry.handles++;
  shared.set(name, entry);
  return entry.flights;
}

/** Gives back what {@link acquireFlights} gave. */
export function releaseFlights(name: string | undefined, flights: Flights): void {
  const entry = name === undefined ? undefined : shared.get(name);
  if (entry === undefined || name === undefined) {
    flights.close();
  } else if (--entry.handles === 0) {
    shared.delete(name);
    flights.close();
  }
}
