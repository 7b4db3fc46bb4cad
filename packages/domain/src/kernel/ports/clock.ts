/** The time as a parameter: a test sets it, production asks the machine. Always an instant in UTC. */
export type Clock = () => Date;

export const systemClock: Clock = () => new Date();
