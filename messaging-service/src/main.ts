import { runProcess } from '@rapport/service';
import { startMessagingService } from './service.ts';

runProcess('messaging-service', startMessagingService);
