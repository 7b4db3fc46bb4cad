import type { Course } from './courses.ts';
import { Faults } from './faults.ts';
import { createWorld, type World } from './state.ts';

/** What the services share: the world, the faults in force and the count of requests. */
export class Sandbox {
  readonly faults = new Faults();
  /** Per `METHOD /path`, path decoded and without query. */
  readonly requests = new Map<string, number>();
  world: World;
  private readonly fileCourses: readonly Course[];

  constructor(fileCourses: readonly Course[]) {
    this.fileCourses = fileCourses;
    this.world = createWorld(fileCourses);
  }

  count(method: string, path: string): void {
    const key = `${method} ${path}`;
    this.requests.set(key, (this.requests.get(key) ?? 0) + 1);
  }

  reset(): void {
    this.faults.clear();
    this.requests.clear();
    this.world = createWorld(this.fileCourses);
  }
}
