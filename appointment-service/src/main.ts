import { runProcess } from '@rapport/service';
import { startAppointmentService } from './service.ts';

runProcess('appointment-service', startAppointmentService);
