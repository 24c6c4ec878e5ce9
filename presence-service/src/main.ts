import { runProcess } from '@rapport/service';
import { startPresenceService } from './service.ts';

runProcess('presence-service', startPresenceService);
