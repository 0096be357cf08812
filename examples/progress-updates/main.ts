// Starts a server with the jobs on it, as the main file of an application does. Outside this repository: `trunkline/config`, `trunkline/server`.

import { serve } from '../../src/bootstrap.js';
import { loadConfig } from '../../src/config/config.js';
import { JobsModule } from './jobs.module.js';

const { config, warnings } = loadConfig();
for (const warning of warnings) console.warn(warning);
const { port } = await serve(config, { modules: [JobsModule.forRoot()] });
console.log(`jobs on http://localhost:${port}/jobs`);
