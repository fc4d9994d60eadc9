// The client of the API's document, with the line that the document forgets: baseURL.

const axios = require('axios');
const FormData = require('form-data');
const fs = require('fs');

class WhisperTranscriberClient {
    constructor(baseUrl, apiKey) {
        this.baseUrl = baseUrl.replace(/\/$/, '');
        this.client = axios.create({
            baseURL: this.baseUrl,
            headers: {
                'X-API-Key': apiKey,
                'User-Agent': 'WhisperTranscriber-JS-Client/1.0'
            }
        });
    }

    async createJob(filePath, model = 'medium', language = null) {
        const formData = new FormData();
        formData.append('file', fs.createReadStream(filePath));
        formData.append('model', model);
        if (language) formData.append('language', language);

        const response = await this.client.post('/api/jobs/', formData, {
            headers: formData.getHeaders()
        });
        return response.data;
    }

    async getJob(jobId) {
        const response = await this.client.get(`/api/jobs/${jobId}`);
        return response.data;
    }

    async waitForCompletion(jobId, pollInterval = 10000) {
        while (true) {
            const job = await this.getJob(jobId);
            if (['completed', 'failed'].includes(job.status)) {
                return job;
            }
            await new Promise(resolve => setTimeout(resolve, pollInterval));
        }
    }
}

module.exports = { WhisperTranscriberClient };
