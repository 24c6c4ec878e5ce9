import { runProcess } from '@rapport/service';
import { startNotificationService } from './service.ts';

runProcess('notification-service', startNotificationService);
